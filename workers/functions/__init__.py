"""The function host: serves `functions/<name>.js` and `<name>.py` of an app folder by the Lambda Invoke API.

| module | job |
|---|---|
| `manifest` | which functions exist, with which limits, open to whom |
| `source_files` `manifest_file` `limits_file` `values` `app_files` | the files that it is made of |
| `rules` | the rule-expression language of `can_evaluate` |
| `access` | whether a call may run, and as whom |
| `dispatch` | one way for every call: decide, run, log |
| `function_log` | arguments, lines and errors of the last calls |
| `call` | one call on its way, and what became of it |
| `names` | what a caller may write for a function: name, `name:alias`, partial or full ARN |
| `settings` | every bound of the host |
| `frames` | messages between the host and a worker process |
| `launch` | how a worker process is started |
| `processes` | what functions start beside themselves, as the system tells |
| `worker` | one worker process: start, call, time-out, end |
| `log_pipe` | what a worker process prints |
| `pool` | the workers and the waiting calls of one function |
| `places` | which function gets a process when there is no room for all |
| `host` | all pools together, start and drain |
| `reload` | what changed in the folder, and which functions start anew for it |
| `context` | what a call knows: user, request, values, environment |
| `probe` | load every function once, and say which ones cannot be run |
| `host_calls` | what a function may ask of the host while it runs |
| `http_calls` | `context.http`: requests through the host's allow list |
| `answers` | bodies and headers in AWS's shapes |
| `connections` `admission` | connections, how many, and the short way of plain calls |
| `invocations` | calls by the Invoke API |
| `api` | everything else that comes by HTTP |
| `http_functions` `events` | functions by plain HTTP, and the events that AWS makes of requests |
| `pages` `descriptions` `measures` | the host's own pages: health, functions, logs, metrics |
| `http_request` `http_body` `http_answer` | a call's HTTP request; bodies in, answers out |
| `authentication` | who calls: SigV4 access keys, bearer tokens, API keys |
| `doors` `tls` `rotation` | address, certificate and accounts of a host, renewed while it runs |
| `service` | `penstock functions serve`: run until a signal |
| `sandbox` | the programs that run in the worker processes |
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers.functions.doors import DoorSettings
    from workers.functions.host import FunctionHost
    from workers.functions.manifest import FunctionEntry, Manifest, load
    from workers.functions.service import serve
    from workers.functions.settings import HostSettings

__all__ = ["DoorSettings", "FunctionEntry", "FunctionHost", "HostSettings", "Manifest", "load", "serve"]

# Resolved on first use: worker processes import `workers.functions.frames`, and with it this file. Loading
# aiohttp there would add about 250 ms to each cold start of 40 ms.
_HOMES = {
    "DoorSettings": "doors",
    "FunctionEntry": "manifest",
    "FunctionHost": "host",
    "HostSettings": "settings",
    "Manifest": "manifest",
    "load": "manifest",
    "serve": "service",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
