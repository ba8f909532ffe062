"""What a call knows beside its arguments: who calls, by which request, with which values. Pure.

`CallContext` differs from call to call and travels in the CALL frame; `AppContext` is the same for all calls
of an app folder and travels once, in the LOAD frame, as `app`. Both travel as JSON with the names that
functions (`context.user`) and rules (`%%user`) see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

import orjson

UserType = Literal["normal", "server", "system"]

MAX_DEPTH: Final = 16
"""Functions that call functions (by `context.functions.execute` or `%function`), one below the other. Each
level holds a worker process for as long as the ones below it run."""


@dataclass(frozen=True, slots=True)
class User:
    """Who a function runs as. `id` is empty for the system user alone; `data`, `custom_data` and
    `identities` hold JSON."""

    id: str
    type: UserType = "normal"
    data: Mapping[str, Any] = field(default_factory=dict)
    custom_data: Mapping[str, Any] = field(default_factory=dict)
    identities: Sequence[Mapping[str, Any]] = ()

    def as_data(self) -> dict[str, Any]:
        """The shape of `context.user` and `%%user`. The system user has no id."""
        known: dict[str, Any] = {"id": self.id} if self.id else {}
        return known | {
            "type": self.type,
            "data": dict(self.data),
            "custom_data": dict(self.custom_data),
            "identities": [dict(one) for one in self.identities],
        }


SYSTEM_USER: Final = User("", "system")


@dataclass(frozen=True, slots=True)
class Request:
    """The HTTP request that caused the call, without its body. `headers` maps the canonical name
    (`User-Agent`) to its values in order; headers that authenticate are not in it."""

    method: str = ""
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    remote_address: str = ""
    query: str = ""
    service: str = ""
    action: str = ""
    webhook_url: str = ""

    def as_data(self) -> dict[str, Any]:
        """The shape of `context.request` and `%%request`: what the request did not have is left out."""
        headers = self.headers
        found: dict[str, Any] = {"rawQueryString": self.query, "requestHeaders": headers}
        if self.method:
            found["httpMethod"] = self.method
        if self.remote_address:
            found["remoteIPAddress"] = self.remote_address
        if "User-Agent" in headers:
            found["httpUserAgent"] = headers["User-Agent"][0]
        if "Referer" in headers:
            found["httpReferrer"] = headers["Referer"][0]
        if self.service or self.action or self.webhook_url:
            found |= {"service": self.service, "action": self.action, "webhookUrl": self.webhook_url}
        return found


@dataclass(frozen=True)
class CallContext:
    """What one call knows.

    `user` is `context.user`: whom the manifest names, else who called, None when nobody is known. A function
    that runs as system keeps its caller there (that is what App Services promises) and says so in
    `runs_as_system`. `depth` counts the functions above this call."""

    function: str
    user: User | None = None
    runs_as_system: bool = False
    request: Request = Request()
    depth: int = 0

    @cached_property
    def encoded(self) -> bytes:
        """JSON for the worker process: `{"user": {...} | null, "runsAsSystem": bool, "request": {...}}`. Made
        once: calls with equal heads share their context."""
        return orjson.dumps(
            {
                "user": None if self.user is None else self.user.as_data(),
                "runsAsSystem": self.runs_as_system,
                "request": self.request.as_data(),
            }
        )


@dataclass(frozen=True, slots=True)
class AppContext:
    """What all calls of an app folder know: `values/*.json`, the environment's tag and its values, as JSON.

    Secret values are in it, resolved: it goes to rules and workers and never into a log, error or answer."""

    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    environment_tag: str = ""
    environment_values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def as_data(self) -> dict[str, Any]:
        """`{"values": {...}, "environment": {"tag": "", "values": {...}}}`."""
        return {
            "values": dict(self.values),
            "environment": {"tag": self.environment_tag, "values": dict(self.environment_values)},
        }
