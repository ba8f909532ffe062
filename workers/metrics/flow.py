"""Metrics of flow control: holds, limits, rates, budgets."""

from __future__ import annotations

from typing import Final

from workers.metrics.metric import HOLD_STATES, LIMIT_CHANGES, SCOPES, THROTTLE_REASONS, Metric

HOLD_STATE: Final = Metric(
    "gauge",
    "penstock_hold_state",
    ("processor", "function", "state"),
    "Call sites of the processor with this function whose hold is in this state. open: calls go; held, "
    "probing: the function is not called but for probes; spent: `hold.timeout` is over and failures follow "
    "`onError`; failed: it is over and the processor stopped.",
    values={"state": HOLD_STATES},
)
HOLDS: Final = Metric(
    "counter",
    "penstock_holds_total",
    ("processor", "function", "class"),
    "Holds that began, by the error (docs/errors.md) that began them; Breaker: the rate of `breaker` was "
    "reached.",
)
HOLD_SECONDS: Final = Metric(
    "counter",
    "penstock_hold_seconds_total",
    ("processor", "function", "scope"),
    "Seconds that a function was held, by whose fault it is.",
    values={"scope": SCOPES},
)
HOLD_PROBES: Final = Metric(
    "counter",
    "penstock_hold_probes_total",
    ("processor", "function"),
    "Calls that were made to see whether a held function works again.",
)
HOLD_WAITING: Final = Metric(
    "gauge",
    "penstock_hold_waiting",
    ("processor", "function"),
    "Calls that failed in a way that says hold and wait for its end, or for a probe.",
)
BREAKER_OPEN: Final = Metric(
    "gauge",
    "penstock_breaker_open",
    ("processor", "function"),
    "Call sites with a hold that `breaker` began.",
)
UNKNOWN_OUTCOMES: Final = Metric(
    "counter",
    "penstock_call_unknown_outcomes_total",
    ("processor", "function"),
    "Attempts that ended without our knowing whether the function ran: what it did may be done again.",
)
FUNCTION_LIMIT: Final = Metric(
    "gauge",
    "penstock_function_limit",
    ("connection", "function"),
    "Calls of the function that this process may have open at once: learned from throttles and time-outs, "
    "never above `parallelism` of the call sites together.",
)
FUNCTION_PARALLELISM: Final = Metric(
    "gauge",
    "penstock_function_parallelism",
    ("connection", "function"),
    "`parallelism` of all call sites of this process that call the function.",
)
FUNCTION_IN_FLIGHT: Final = Metric(
    "gauge",
    "penstock_function_in_flight",
    ("connection", "function"),
    "Attempts of all call sites of this process that are open.",
)
FUNCTION_WAITING: Final = Metric(
    "gauge",
    "penstock_function_waiting",
    ("connection", "function"),
    "Calls that wait because the limit is reached.",
)
LIMIT_CHANGED: Final = Metric(
    "counter",
    "penstock_function_limit_changes_total",
    ("connection", "function", "reason"),
    "Changes of the limit. grew: it was reached and nothing was lost; throttled, timed_out, disconnected: "
    "what was lost; account: a share of the account's limit; hold: the function comes back from a hold.",
    values={"reason": LIMIT_CHANGES},
)
THROTTLES: Final = Metric(
    "counter",
    "penstock_function_throttles_total",
    ("connection", "function", "reason"),
    "Throttled attempts, by AWS's reason; other: no reason, or one that is not known.",
    values={"reason": THROTTLE_REASONS},
)
FUNCTION_RATE: Final = Metric(
    "gauge",
    "penstock_function_rate_limit",
    ("connection", "function"),
    "Calls a second that may begin, as learned from throttles; 0 while there is no such limit.",
)
RETRY_BUDGET: Final = Metric(
    "gauge",
    "penstock_function_retry_budget",
    ("connection", "function"),
    "What is left of the retry budget, from 1 (full) to 0 (retries wait).",
)
OUTSTANDING_BYTES: Final = Metric(
    "gauge",
    "penstock_outstanding_bytes",
    (),
    "Bytes of requests in flight and waiting for their next attempt, in this process.",
)
OUTSTANDING_BYTES_LIMIT: Final = Metric(
    "gauge",
    "penstock_outstanding_bytes_limit",
    (),
    "The bound of penstock_outstanding_bytes: further calls wait.",
)
