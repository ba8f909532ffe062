"""What a metric of the catalogue is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]

OTHER: Final = "other"
"""What the open labels of a series become once its metric has `max_series` series."""

STATES: Final = ("CREATED", "STARTED", "STOPPED", "FAILED")
RECORD_OUTCOMES: Final = ("emitted", "dead_lettered", "dropped", "ignored")
CALL_OUTCOMES: Final = (
    "ok",
    "function_error",
    "api_error",
    "not_sent",
    "timed_out",
    "unknown",
    "invalid_answer",
    "abandoned",
)
RETRY_REASONS: Final = ("throttled", "server_error", "function_error", "not_sent", "timed_out", "unknown")
RECORD_RESULTS: Final = ("ok", "drop", "retry", "fail", "follow")
CONTRACT_VIOLATIONS: Final = (
    "not_json",
    "wrong_type",
    "wrong_length",
    "missing_id",
    "unknown_id",
    "duplicate_id",
)
HOSTED_OUTCOMES: Final = ("ok", "error", "timed_out", "crashed", "denied", "refused")
HOLD_STATES: Final = ("open", "held", "probing", "spent", "failed")
LIMIT_CHANGES: Final = ("grew", "throttled", "timed_out", "disconnected", "account", "hold")
THROTTLE_REASONS: Final = (
    "ReservedFunctionConcurrentInvocationLimitExceeded",
    "ConcurrentInvocationLimitExceeded",
    "FunctionInvocationRateLimitExceeded",
    "ReservedFunctionInvocationRateLimitExceeded",
    "CallerRateLimitExceeded",
    "ConcurrentSnapshotCreateLimitExceeded",
    OTHER,
)
SCOPES: Final = ("record", "batch", "function", "account", "worker", "configuration")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the catalogue.

    `values` closes a label: these and no others. A label without values is open, `max_series` bounds it.
    `buckets` are the upper bounds of a histogram, in the unit that the name ends with.
    """

    kind: Kind
    name: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    max_series: int = 1_000
