"""How a fake function answers: the vocabulary that the Invoke stub and the in-memory invoker share. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, Literal, get_args

import orjson

from tests.fakes.lambda_history import History, Timeline

MAX_SYNC_BYTES: Final = 6_291_456
MAX_ASYNC_BYTES: Final = 1_048_576

Outcome = Literal[
    "echo",  # 200, the request's body
    "static",  # 200, `body`
    "empty",  # 200, 0 bytes
    "not_json",  # 200, text that is no JSON
    "big",  # 200, `size_bytes` bytes of JSON
    "function_error",  # 200 with X-Amz-Function-Error and an `error_type` body
    "error",  # `status` with `error_type`, as the service itself fails
    "drop_before",  # the connection is reset before the body was read: the function does not run
    "drop_after",  # the function runs, the connection is reset without an answer
    "half",  # the function runs, half of the answer comes, then the end
    "hang",  # the function runs, the answer never comes
    "batch",  # 200, an answer to each record of a batch (tests/fakes/batch_functions.py)
]
OUTCOMES: Final = frozenset(get_args(Outcome))


@dataclass(frozen=True, slots=True)
class Fate:
    """`share` (0 to 1) of all ids meet `behaviour`."""

    share: float
    behaviour: Behaviour


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What calls of one function meet.

    `times` > 0 limits it to the first calls (of an id when the body has one, else of the function); later
    calls echo. `fates` decide by a hash of `seed` and the id in the body's field `id_field`: one id, one
    fate. `concurrency` > 0 throttles calls over that many running ones, with `reason` and
    `retry_after_seconds`.
    """

    outcome: Outcome = "echo"
    latency_ms: float = 0.0
    status: int = 500
    error_type: str = "ServiceException"
    message: str = "planned by the test"
    reason: str | None = None
    retry_after_seconds: int | None = None
    body: str = "null"
    size_bytes: int = 0
    executed_version: str = "$LATEST"
    log: str = ""
    concurrency: int = 0
    max_body_bytes: int = MAX_SYNC_BYTES
    times: int = 0
    id_field: str | None = None
    seed: int = 0
    fates: tuple[Fate, ...] = ()
    value_field: str | None = None
    order_field: str | None = None

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise ValueError(f"outcome {self.outcome!r}: one of {sorted(OUTCOMES)}")
        if sum(fate.share for fate in self.fates) > 1.0 + 1e-9:
            raise ValueError("the shares of the fates add up to more than 1")


THROTTLED: Final = Behaviour(
    outcome="error",
    status=429,
    error_type="TooManyRequestsException",
    message="Rate Exceeded.",
    reason="ReservedFunctionConcurrentInvocationLimitExceeded",
)
UNKNOWN: Final = Behaviour(outcome="error", status=404, error_type="ResourceNotFoundException")
TOO_LARGE: Final = Behaviour(outcome="error", status=413, error_type="RequestTooLargeException")


@dataclass(slots=True)
class Function:
    """One function's behaviour and counts. `ran` leaves out what was refused before it could run."""

    behaviour: Behaviour
    calls: int = 0
    ran: int = 0
    running: int = 0
    max_running: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    overlaps: int = 0
    disorder: int = 0
    running_values: dict[str, int] = field(default_factory=dict)
    last_places: dict[str, int] = field(default_factory=dict)
    timeline: Timeline[Behaviour] | None = None
    history: History | None = None


def behaviour_of_call(function: Function, body: bytes) -> tuple[Behaviour, str | None]:
    """What the next call with this body meets, and the id in it."""
    behaviour = function.behaviour
    identity = document_id(body, behaviour.id_field) if behaviour.id_field else None
    behaviour = fate_of(behaviour, identity)
    before = function.calls if identity is None else function.ids.get(identity, 0)
    return in_force(behaviour, before), identity


def throttled(behaviour: Behaviour) -> Behaviour:
    """What a call over the behaviour's concurrency meets."""
    reason = behaviour.reason or THROTTLED.reason
    return replace(THROTTLED, reason=reason, retry_after_seconds=behaviour.retry_after_seconds)


def count_call(function: Function, behaviour: Behaviour, identity: str | None, *, ran: bool) -> None:
    """Count a call that starts now. `running` is the caller's to lower when it ends."""
    function.calls += 1
    function.ran += ran
    function.running += 1
    function.max_running = max(function.max_running, function.running)
    function.outcomes[behaviour.outcome] = function.outcomes.get(behaviour.outcome, 0) + 1
    if identity is not None:
        function.ids[identity] = function.ids.get(identity, 0) + 1


def behaviour_of(data: Mapping[str, Any]) -> Behaviour:
    """A Behaviour out of the JSON of `POST /config`. Raises ValueError for a field that does not exist."""
    known = {known_field.name for known_field in fields(Behaviour)}
    if strange := sorted(data.keys() - known):
        raise ValueError(f"unknown: {strange}; known: {sorted(known)}")
    values = dict(data)
    if fates := values.get("fates"):
        values["fates"] = tuple(Fate(share, behaviour_of(planned)) for share, planned in fates)
    return Behaviour(**values)


def document_id(body: bytes, field: str) -> str | None:
    """The id in a request's body as text, or None when there is none."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    value = document.get(field) if isinstance(document, dict) else None
    return None if value is None else str(value)


def fate_of(behaviour: Behaviour, identity: str | None) -> Behaviour:
    """What a call with this id meets: the same for the same seed and id, in every process."""
    if identity is None or not behaviour.fates:
        return behaviour
    digest = hashlib.sha256(f"{behaviour.seed}|{identity}".encode()).digest()
    at = int.from_bytes(digest[:8], "big") / 2**64
    for fate in behaviour.fates:
        if at < fate.share:
            return fate.behaviour
        at -= fate.share
    return behaviour


def in_force(behaviour: Behaviour, calls_before: int) -> Behaviour:
    """The behaviour, or an echo once its `times` are used up."""
    if behaviour.times and calls_before >= behaviour.times:
        return replace(behaviour, outcome="echo", times=0)
    return behaviour


def failure_body(behaviour: Behaviour) -> bytes:
    """The body of a function error."""
    return orjson.dumps({"errorMessage": behaviour.message, "errorType": behaviour.error_type})


def api_error_body(behaviour: Behaviour) -> bytes:
    """The body of an error of the service itself."""
    body = {"Type": "Service" if behaviour.status >= 500 else "User", "message": behaviour.message}
    return orjson.dumps(body | ({"Reason": behaviour.reason} if behaviour.reason else {}))


def answer_body(behaviour: Behaviour, request_body: bytes) -> bytes:
    """The body of an answer with status 200."""
    match behaviour.outcome:
        case "static" | "half":
            return behaviour.body.encode()
        case "empty":
            return b""
        case "not_json":
            return b"plain text, no JSON"
        case "big":
            return b'"' + b"x" * (behaviour.size_bytes - 2) + b'"'
        case "function_error":
            return failure_body(behaviour)
        case _:
            return request_body
