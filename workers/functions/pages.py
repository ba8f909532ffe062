"""What the host answers beside calls: `/healthz`, `/functions`, `/logs`, `/metrics`, Lambda's descriptions.

Everything but `/healthz` is for whoever runs the host: where callers have to say who they are it is open to
access keys and API keys, and closed to the users of an app.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote

import orjson
from aiohttp import web

from workers.functions import answers, descriptions
from workers.functions.answers import ApiError
from workers.functions.authentication import refusals
from workers.functions.context import User
from workers.functions.function_log import FunctionLog
from workers.functions.measures import CONTENT_TYPE
from workers.functions.names import BadName, Target, parse_target
from workers.functions.pool import Pool

PREFIX: Final = "/2015-03-31/functions"
_CONFIGURATION: Final = "/configuration"


def healthz(pools: Mapping[str, Pool], *, is_draining: bool) -> web.Response:
    """200 while calls are taken, 503 once the host stops."""
    state = {"status": "draining" if is_draining else "ok", "functions": len(pools)}
    return _json(state, status=503 if is_draining else 200)


def metrics(text: str) -> web.Response:
    """`GET /metrics`."""
    return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})


def check_may_look(user: User | None, action: str) -> None:
    """Raises ApiError 403 for users of the app. None: nobody has to say who they are."""
    if user is not None and user.type == "normal":
        raise refusals.not_for_users(action)


def own_page(path: str, query: str, pools: Mapping[str, Pool], function_log: FunctionLog) -> web.Response:
    """`GET /functions` and `GET /logs`. Raises ApiError: 400, 404."""
    if path == "/logs":
        return _logs(function_log, query)
    if path == "/functions":
        return _json({"functions": [_described(pool) for _, pool in sorted(pools.items())]})
    raise ApiError(404, "ResourceNotFoundException", "There is no such page.")


def action_of(path: str) -> str:
    """The name of the permission that AWS would ask for."""
    if path.rstrip("/") == PREFIX:
        return "lambda:ListFunctions"
    return f"lambda:GetFunction{'Configuration' if path.endswith(_CONFIGURATION) else ''}"


async def described(path: str, query: str, region: str, pools: Mapping[str, Pool]) -> web.Response:
    """`GET /2015-03-31/functions...`. Raises ApiError: 400, 404."""
    asked = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
    if path.rstrip("/") == PREFIX:
        entries = {name: pool.entry for name, pool in pools.items()}
        return _json(await asyncio.to_thread(descriptions.page, entries, asked, region))
    text = path.removeprefix(f"{PREFIX}/")
    describe = descriptions.configuration if text.endswith(_CONFIGURATION) else descriptions.function
    target = read_target(text.removesuffix(_CONFIGURATION), asked.get("Qualifier"))
    pool = pools.get(target.name)
    if pool is None or not has_version(pool, target):
        raise answers.not_found(descriptions.arn(target.name, region, target.qualifier))
    return _json(await asyncio.to_thread(describe, pool.entry, target, region))


def read_target(quoted: str, qualifier: str | None) -> Target:
    """The function that a percent-encoded part of a path names. Raises ApiError 400."""
    try:
        return parse_target(unquote(quoted), qualifier)
    except BadName as problem:
        raise answers.bad_parameter(str(problem)) from problem


def has_version(pool: Pool, target: Target) -> bool:
    """There is `$LATEST`, and the aliases that the function's limits name; no numbered versions."""
    return target.qualifier in (None, "$LATEST") or target.qualifier in pool.entry.aliases


def _logs(function_log: FunctionLog, query: str) -> web.Response:
    """`?after=<number>&function=<name>&limit=<count>` of the function log. Raises ApiError 400."""
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    try:
        after, limit = int(asked.get("after", "0")), int(asked.get("limit", "100"))
    except ValueError as problem:
        raise answers.bad_parameter("after and limit are whole numbers") from problem
    body = function_log.page(after, asked.get("function"), limit)
    return web.Response(body=body, content_type="application/json")


def _described(pool: Pool) -> dict[str, object]:
    entry = pool.entry
    return {
        "name": entry.name,
        "language": entry.language,
        "file": entry.file,
        "timeoutSeconds": entry.timeout_seconds,
        "memoryBytes": entry.memory_bytes,
        "concurrency": entry.concurrency,
        **pool.status(),
    }


def _json(data: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(data), content_type="application/json")
