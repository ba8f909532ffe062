"""What is to become of each record, and what its calls meet: decided by the seed and the id alone. Pure.

The harness that judges and the function that answers are two processes; both ask here, so neither has to tell
the other anything.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from tests.fakes.lambda_behaviour import THROTTLED, Behaviour

Fate = Literal["result", "function_error", "poison", "filtered", "dropped"]
Place = Literal["result", "dead", "nowhere"]
Trouble = Literal["none", "throttled", "cut_before", "cut_after", "hang"]

# What ends a record. The rest, 92%, becomes a result.
FATES: Final[tuple[tuple[float, Fate], ...]] = (
    (0.03, "function_error"), (0.01, "poison"), (0.02, "filtered"), (0.02, "dropped"),
)  # fmt: skip
# What the first calls of a record (or of a batch) meet, whatever its fate.
TROUBLES: Final[tuple[tuple[float, Trouble], ...]] = (
    (0.05, "throttled"), (0.005, "cut_before"), (0.005, "cut_after"), (0.01, "hang"),
)  # fmt: skip
MAX_TROUBLED_CALLS: Final = 2
LATENCY_MS: Final = (5.0, 50.0)
# Three of ten records share eight keys, so that some keys always have many records open at once.
HOT_KEYS: Final = 8
HOT_SHARE: Final = 0.3
COLD_KEYS: Final = 2_000
PADDING: Final = "x" * 100

THROWN: Final = Behaviour(outcome="function_error", error_type="ValueError", message="planned")


def share(seed: int, purpose: str, name: object) -> float:
    """A number in [0, 1) that is the same in every process."""
    digest = hashlib.sha256(f"{seed}|{purpose}|{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def fate_of(seed: int, number: int) -> Fate:
    """How record `number` ends."""
    at = share(seed, "fate", number)
    for part, fate in FATES:
        if at < part:
            return fate
        at -= part
    return "result"


def place_of(seed: int, number: int) -> Place:
    """Where record `number` must be found at the end."""
    fate = fate_of(seed, number)
    if fate == "result":
        return "result"
    return "dead" if fate in ("function_error", "poison") else "nowhere"


def key_of(seed: int, number: int) -> bytes:
    """The record's key."""
    at = share(seed, "key", number)
    if at < HOT_SHARE:
        return b"hot-%d" % int(at / HOT_SHARE * HOT_KEYS)
    return b"key-%d" % int((at - HOT_SHARE) / (1 - HOT_SHARE) * COLD_KEYS)


def value_of(seed: int, number: int) -> bytes:
    """The record's value: a document, or poison that still carries its number."""
    fate = fate_of(seed, number)
    if fate == "poison":
        return b"poison %d" % number
    return orjson.dumps({"id": number, "keep": fate != "filtered", "pad": PADDING})


def number_of(value: bytes | None) -> int:
    """The number of a record, a result or a dead letter."""
    assert value is not None
    return int(value[7:]) if value.startswith(b"poison ") else int(orjson.loads(value)["id"])


def trouble_of(seed: int, name: object) -> tuple[Trouble, int]:
    """What the first calls with this name meet, and how many of them."""
    at = share(seed, "trouble", name)
    for part, trouble in TROUBLES:
        if at < part:
            return trouble, 1 + int(at / part * MAX_TROUBLED_CALLS)
        at -= part
    return "none", 0


@dataclass(slots=True)
class ChaosFunction:
    """The function that the processor calls: one document or a batch of the `records` contract a call."""

    seed: int
    calls: int = 0
    names: Counter[str] = field(default_factory=Counter)

    def __call__(self, body: bytes) -> tuple[Behaviour, str | None]:
        """What this call meets, and the name it is counted under: its document's or first document's id."""
        self.calls += 1
        request: dict[str, Any] = orjson.loads(body)
        batch = request.get("records")
        name = str(request["id"] if batch is None else f"{batch[0]['value']['id']}+{len(batch)}")
        self.names[name] += 1
        trouble, times = trouble_of(self.seed, name)
        latency = share(self.seed, "latency", f"{name}|{self.calls}")
        latency_ms = LATENCY_MS[0] + latency * (LATENCY_MS[1] - LATENCY_MS[0])
        if self.names[name] <= times:
            return _troubled(trouble, latency_ms), name
        if batch is None:
            return self._alone(int(request["id"]), latency_ms), name
        return self._together(batch, latency_ms), name

    def _alone(self, number: int, latency_ms: float) -> Behaviour:
        fate = fate_of(self.seed, number)
        if fate == "function_error":
            return _slow(THROWN, latency_ms)
        answer = {"drop": fate == "dropped", "for": number}
        return Behaviour(outcome="static", body=orjson.dumps(answer).decode(), latency_ms=latency_ms)

    def _together(self, batch: list[dict[str, Any]], latency_ms: float) -> Behaviour:
        """One in ten of the records that fail throws, and takes its whole batch with it."""
        answers: list[dict[str, Any]] = []
        for record in batch:
            number = int(record["value"]["id"])
            fate = fate_of(self.seed, number)
            answer: dict[str, Any] = {"id": record["id"], "result": "ok", "value": {"for": number}}
            if fate == "function_error":
                if share(self.seed, "throws", number) < 0.1:
                    return _slow(THROWN, latency_ms)
                answer = {"id": record["id"], "result": "fail", "error": "planned"}
            elif fate == "dropped":
                answer = {"id": record["id"], "result": "drop"}
            answers.append(answer)
        body = orjson.dumps({"records": answers}).decode()
        return Behaviour(outcome="static", body=body, latency_ms=latency_ms)


def _slow(behaviour: Behaviour, latency_ms: float) -> Behaviour:
    return Behaviour(
        outcome=behaviour.outcome,
        error_type=behaviour.error_type,
        message=behaviour.message,
        latency_ms=latency_ms,
    )


def _troubled(trouble: Trouble, latency_ms: float) -> Behaviour:
    if trouble == "throttled":
        return THROTTLED
    if trouble == "hang":
        return Behaviour(outcome="hang")
    return Behaviour(
        outcome="drop_before" if trouble == "cut_before" else "drop_after", latency_ms=latency_ms
    )
