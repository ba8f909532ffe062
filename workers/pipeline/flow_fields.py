"""Fields that say how calls are held back: `hold`, `breaker`, `rate`, and `retry.retryOn` of functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from workers.pipeline.check import Checker, Fields
from workers.pipeline.parse import describe
from workers.pipeline.program import AfterHold, BreakerSpec, HoldSpec

# A week: whoever wants longer means `after: wait`.
MAX_HOLD_SECONDS: Final = 7 * 24 * 3600.0
# Below it two failures that chance brought together would open the breaker.
LEAST_WINDOW_CALLS: Final = 10
MAX_WINDOW_CALLS: Final = 100_000
DEFAULT_ERROR_RATE: Final = 0.2
DEFAULT_WINDOW_CALLS: Final = 200
# No call takes less than some 10 us of this process.
MAX_RATE_PER_SECOND: Final = 100_000.0
LEAST_RATE_PER_SECOND: Final = 1 / 60
MAX_RETRY_TYPES: Final = 100

_AFTER: Final[Mapping[str, AfterHold]] = {"onError": "onError", "fail": "fail", "wait": "wait"}
_RATE: Final = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*/\s*(s|m)")
_RATE_RULE: Final = 'a rate such as "500/s" or "30/m", from 1/m to 100000/s'


def hold_field(fields: Fields) -> HoldSpec:
    """`hold`: how long documents wait for a function on which nothing can work now, and what comes then. With
    `after: wait` nothing does: the same `timeout` may stand beside each of the three."""
    default = HoldSpec()
    inner = fields.inner("hold")
    if inner is None:
        return default
    timeout = inner.seconds("timeout", default.timeout_seconds, MAX_HOLD_SECONDS)
    after = inner.choice("after", _AFTER, default.after)
    inner.done()
    return HoldSpec(timeout, after)


def breaker_field(checker: Checker, fields: Fields) -> BreakerSpec | None:
    """`breaker`: the share of failed calls that begins a hold; None where nobody asked for one."""
    inner = fields.inner("breaker")
    if inner is None:
        return None
    given = inner.take("errorRate", DEFAULT_ERROR_RATE)
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not (is_number and 0 < given <= 1):
        checker.wrong(inner.at("errorRate"), describe(given), "a share above 0 and at most 1, such as 0.2")
        given = DEFAULT_ERROR_RATE
    window = inner.whole("window", DEFAULT_WINDOW_CALLS, LEAST_WINDOW_CALLS, MAX_WINDOW_CALLS)
    inner.done()
    return BreakerSpec(float(given), window)


def rate_field(checker: Checker, fields: Fields) -> float | None:
    """`rate`: calls a second that may begin, in one process."""
    if not fields.has("rate"):
        fields.take("rate")
        return None
    given = fields.take("rate")
    found = _RATE.fullmatch(given.strip()) if isinstance(given, str) else None
    rate = float(found[1]) / (60.0 if found[2] == "m" else 1.0) if found else 0.0
    if LEAST_RATE_PER_SECOND <= rate <= MAX_RATE_PER_SECOND:
        return rate
    checker.wrong(fields.at("rate"), describe(given), _RATE_RULE)
    return None


def error_types(checker: Checker, fields: Fields) -> frozenset[str]:
    """`retryOn` of a function's `retry`: types of its own errors."""
    if not fields.has("retryOn"):
        fields.take("retryOn")
        return frozenset()
    given, place = fields.take("retryOn"), fields.at("retryOn")
    rule = "an array of error types, as [TransientError]"
    if not isinstance(given, list | tuple) or len(given) > MAX_RETRY_TYPES:
        checker.wrong(place, describe(given), f"{rule}, at most {MAX_RETRY_TYPES}")
        return frozenset()
    for at, one in enumerate(given):
        if one.__class__ is not str or not one:
            checker.wrong(f"{place}[{at}]", describe(one), "the type of an error, as the function names it")
    return frozenset(one for one in given if one.__class__ is str)
