"""What `penstock functions` does without a server: one call, and the log of a running host."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from workers.errors import Fatal
from workers.functions import FunctionHost
from workers.functions.access import Wanted
from workers.functions.answers import ApiError
from workers.functions.call import Outcome
from workers.functions.context import CallContext, User

FOLLOW_SECONDS: Final = 0.5  # between two looks: a person does not see less, and a host does not notice more
HTTP_SECONDS: Final = 10.0
API_KEY_VARIABLE: Final = "PENSTOCK_FUNCTIONS_API_KEY"
MAX_PAGE_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Done:
    """One call: what became of it and whom it ran as; `denied` is the host's refusal, `why` what the function
    log says of it: callers over HTTP do not learn that."""

    outcome: Outcome | None
    context: CallContext | None
    denied: ApiError | None = None
    why: str = ""

    @property
    def failed(self) -> bool:
        """Whether the call did not end well."""
        return self.outcome is None or self.outcome.failed

    def as_data(self) -> dict[str, Any]:
        """The call as one JSON document."""
        if self.outcome is None or self.context is None:
            assert self.denied is not None, "a call has an outcome or was refused"
            return {
                "status": self.denied.status,
                "error": self.denied.code,
                "message": self.why or self.denied.message,
            }
        user = self.context.user
        return {
            "error" if self.outcome.failed else "result": json.loads(self.outcome.body),
            "logs": self.outcome.log.decode("utf-8", "replace").splitlines(),
            "durationMs": round(self.outcome.seconds * 1000, 3),
            "user": None if user is None else {"id": user.id, "type": user.type},
            "runsAsSystem": self.context.runs_as_system,
        }


def invoke(folder: Path, name: str, args: bytes, user: User | None, env: Mapping[str, str]) -> Done:
    """Run one function of an app folder. Raises Invalid with what is wrong with the folder."""

    async def run() -> Done:
        host = FunctionHost(folder, env=env)
        await host.start()
        try:
            # As a function of the app would call it: whoever holds the sources may try private ones too.
            wanted = Wanted(args=args, origin="function", user=user)
            return Done(*await host.dispatch.run_with_context(name, wanted))
        except ApiError as error:
            last = json.loads(host.function_log.page(0, name, 1))["entries"]
            return Done(None, None, error, last[0]["error"] if last else "")
        finally:
            await host.stop(drain_seconds=0)

    return asyncio.run(run())


def entries(endpoint: str, function: str | None, limit: int, *, follow: bool) -> Iterator[dict[str, Any]]:
    """The entries of a running host's function log, oldest first; with `follow` for ever. Raises Fatal when
    the host does not answer."""
    after = 0
    while True:
        page = _page(endpoint, after, function, limit)
        yield from page["entries"]
        after = max(after, page["last"])
        if not follow:
            return
        if not page["entries"]:
            time.sleep(FOLLOW_SECONDS)


def _page(endpoint: str, after: int, function: str | None, limit: int) -> dict[str, Any]:
    asked = {"after": str(after), "limit": str(limit)} | ({"function": function} if function else {})
    url = f"{endpoint.rstrip('/')}/logs?{urllib.parse.urlencode(asked)}"
    if not url.startswith(("http://", "https://")):
        raise Fatal(f"--endpoint {endpoint}: no http:// or https:// URL")
    try:
        key = os.environ.get(API_KEY_VARIABLE)
        request = urllib.request.Request(url, headers={"api-key": key} if key else {})  # noqa: S310 - checked
        with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as answer:  # noqa: S310 - checked above
            page: dict[str, Any] = json.loads(answer.read(MAX_PAGE_BYTES))
            return page
    except urllib.error.HTTPError as error:
        why = f"; {API_KEY_VARIABLE} holds no key that it knows" if error.code == 403 else ""
        raise Fatal(f"reading {endpoint}: the host answered {error.code}{why}") from None
    except (OSError, ValueError) as error:
        raise Fatal(f"reading {endpoint}: {error}; is a function host running there?") from None
