"""Metrics of the function host."""

from __future__ import annotations

from typing import Final

from workers.metrics.metric import HOSTED_OUTCOMES, Metric

HOSTED_CALLS: Final = Metric(
    "counter",
    "penstock_function_host_calls_total",
    ("function", "outcome"),
    "Calls that came in for a function, by what became of them. error: the function threw. timed_out: it "
    "ran longer than its time-out. crashed: its process ended, or answered what no answer is. denied: the "
    "manifest does not let this caller run it. refused: no room (429), the host stops, or the caller left "
    "before.",
    values={"outcome": HOSTED_OUTCOMES},
)
HOSTED_SECONDS: Final = Metric(
    "histogram",
    "penstock_function_host_call_seconds",
    ("function",),
    "How long a function ran, without its wait for a process.",
    buckets=(
        0.0005,
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1.0,
        2.5,
        5.0,
        15.0,
        30.0,
        60.0,
        300.0,
    ),
)
HOSTED_RUNNING: Final = Metric(
    "gauge", "penstock_function_host_calls_running", ("function",), "Calls that run now."
)
HOSTED_WAITING: Final = Metric(
    "gauge",
    "penstock_function_host_calls_waiting",
    ("function",),
    "Calls that wait for a process while somebody waits for their answer.",
)
HOSTED_EVENTS: Final = Metric(
    "gauge",
    "penstock_function_host_events_waiting",
    ("function",),
    "Accepted `Event` calls that wait for a process.",
)
HOSTED_PROCESSES: Final = Metric(
    "gauge", "penstock_function_host_processes", ("function",), "Processes of a function, loading ones too."
)
HOSTED_CONCURRENCY: Final = Metric(
    "gauge",
    "penstock_function_host_concurrency",
    ("function",),
    "Processes that a function may have: its own bound, within that of the host.",
)
HOSTED_STARTS: Final = Metric(
    "counter",
    "penstock_function_host_process_starts_total",
    ("function",),
    "Processes started: for the first calls, for more of them at once, and after one that ended.",
)
HOSTED_LOAD_FAILURES: Final = Metric(
    "counter",
    "penstock_function_host_load_failures_total",
    ("function",),
    "Processes that could not load the function's source.",
)
HOSTED_PROCESS_LIMIT: Final = Metric(
    "gauge",
    "penstock_function_host_processes_limit",
    (),
    "Processes that all functions may have together.",
)
