"""Functions as Lambda's `GetFunction`, `GetFunctionConfiguration` and `ListFunctions` describe them.

What a function may use stands there, and never a value of its environment.
"""

from __future__ import annotations

import base64
import hashlib
import math
import platform
import sys
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from workers.functions import answers
from workers.functions.manifest import FunctionEntry
from workers.functions.names import Target, is_name

MAX_PAGE: Final = 50
"""AWS hands out at most 50 functions at a time, whatever `MaxItems` asks for."""
MAX_ITEMS: Final = 10_000

_ACCOUNT: Final = "000000000000"
_DEFAULT_REGION: Final = "us-east-1"
_RUNTIMES: Final = {
    "javascript": "quickjs",
    "python": f"python{sys.version_info.major}.{sys.version_info.minor}",
}
_ARCHITECTURES: Final = {"aarch64": "arm64", "arm64": "arm64"}


def arn(name: str, region: str, qualifier: str | None = None) -> str:
    """What the API takes for a function's name as well; the account is no real one."""
    end = f":{qualifier}" if qualifier else ""
    return f"arn:aws:lambda:{region}:{_ACCOUNT}:function:{name}{end}"


def region_of(authorization: str) -> str:
    """The region that a request is signed for; any other request's is us-east-1."""
    _, mark, rest = authorization.partition("Credential=")
    parts = rest.split(",")[0].split("/")
    region = parts[2] if mark and len(parts) == 5 else ""
    is_good = region.isascii() and region.replace("-", "").isalnum() and len(region) <= 32
    return region.lower() if is_good else _DEFAULT_REGION


def function(entry: FunctionEntry, target: Target, region: str) -> dict[str, Any]:
    """`GetFunction`. Blocks: it reads the source."""
    return {
        "Configuration": configuration(entry, target, region),
        "Code": {"RepositoryType": "AppFolder"},
        "Concurrency": {"ReservedConcurrentExecutions": entry.concurrency},
    }


def configuration(entry: FunctionEntry, target: Target, region: str) -> dict[str, Any]:
    """`GetFunctionConfiguration`. Blocks: it reads the source."""
    data, changed = _source(entry)
    digest = hashlib.sha256(data).digest()
    return {
        "FunctionName": entry.name,
        "FunctionArn": arn(entry.name, region, target.qualifier),
        "Runtime": _RUNTIMES[entry.language],
        "Handler": f"{entry.name}.{'handler' if entry.language == 'python' else 'exports'}",
        "CodeSize": len(data),
        "Description": "",
        "Timeout": math.ceil(entry.timeout_seconds),
        "MemorySize": entry.memory_bytes >> 20,
        "LastModified": f"{datetime.fromtimestamp(changed, UTC):%Y-%m-%dT%H:%M:%S.000+0000}",
        "CodeSha256": base64.b64encode(digest).decode("ascii"),
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": str(uuid.UUID(bytes=digest[:16])),
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": [_ARCHITECTURES.get(platform.machine(), "x86_64")],
    }


def page(entries: Mapping[str, FunctionEntry], asked: Mapping[str, str], region: str) -> dict[str, Any]:
    """`ListFunctions`: by name, `MaxItems` of them behind `Marker`. Blocks: it reads the sources. Raises
    ApiError 400."""
    after, most = _marker(asked.get("Marker", "")), _max_items(asked.get("MaxItems", str(MAX_PAGE)))
    version = asked.get("FunctionVersion", "ALL")
    if version != "ALL":
        raise answers.bad_parameter(f"FunctionVersion {version[:40]!r} is not ALL")
    names = [name for name in sorted(entries) if name > after]
    shown = [configuration(entries[name], Target(name, None), region) for name in names[:most]]
    more = {"NextMarker": _as_marker(names[most - 1])} if len(names) > most else {"NextMarker": None}
    return {**more, "Functions": shown}


def _source(entry: FunctionEntry) -> tuple[bytes, float]:
    """The source and when it was changed; nothing where it is gone since the folder was read."""
    try:
        return entry.source.read_bytes(), entry.source.stat().st_mtime
    except OSError:
        return b"", 0.0


def _max_items(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MAX_ITEMS):
        raise answers.bad_parameter(f"MaxItems {text[:40]!r} is no number from 1 to {MAX_ITEMS}")
    return min(int(text), MAX_PAGE)


def _as_marker(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode("ascii")


def _marker(text: str) -> str:
    """The name that the last page ended with."""
    try:
        name = base64.b64decode(text, altchars=b"-_", validate=True).decode("utf-8")
    except ValueError:
        name = "?"
    if name and not is_name(name):
        raise answers.bad_parameter("The provided marker is invalid.")
    return name
