"""The page of what is called."""

from __future__ import annotations

from typing import Final

from tests.chart.dashboard_parts import Dashboard, Panel, Row
from tests.chart.dashboard_queries import (
    CALLED,
    FUNCTION,
    NAMESPACE,
    increase,
    line,
    most,
    quantile,
    quantiles,
    rate,
    total,
)

FUNCTIONS: Final = Dashboard(
    "functions",
    "penstock-functions",
    "Penstock / Functions",
    "What is called: limits, throttles and holds as the workers see them, and the function host from within.",
    (NAMESPACE, FUNCTION),
    (
        Row(
            "Flow control of the workers",
            (
                Panel(
                    "Limit",
                    "Calls that may be open, those that are, and those that wait for it; "
                    "`parallelism` is the most.",
                    "short",
                    (
                        (
                            total("penstock_function_limit", CALLED, "connection, function"),
                            "{{function}} limit",
                        ),
                        (
                            total("penstock_function_parallelism", CALLED, "connection, function"),
                            "{{function}} parallelism",
                        ),
                        (
                            total("penstock_function_in_flight", CALLED, "connection, function"),
                            "{{function}} in flight",
                        ),
                        (
                            total("penstock_function_waiting", CALLED, "connection, function"),
                            "{{function}} waiting",
                        ),
                    ),
                    width=12,
                ),
                line(
                    "Changes of the limit",
                    "By reason.",
                    "ops",
                    rate("penstock_function_limit_changes_total", CALLED, "function, reason"),
                    "{{function}} {{reason}}",
                ),
                line(
                    "Throttles",
                    "By AWS's reason.",
                    "ops",
                    rate("penstock_function_throttles_total", CALLED, "function, reason"),
                    "{{function}} {{reason}}",
                ),
                line(
                    "Rate limit",
                    "Calls a second that may begin, learned from throttles; 0: no such limit.",
                    "ops",
                    total("penstock_function_rate_limit", CALLED, "function"),
                    "{{function}}",
                ),
                line(
                    "Retry budget",
                    "1: full; 0: retries wait.",
                    "percentunit",
                    f"min by (function) (penstock_function_retry_budget{{{CALLED}}})",
                    "{{function}}",
                ),
                line(
                    "Held",
                    "Share of the time that a function was held, by whose fault it is.",
                    "percentunit",
                    f"max by (function, scope) "
                    f"(rate(penstock_hold_seconds_total{{{CALLED}}}[$__rate_interval]))",
                    "{{function}} {{scope}}",
                ),
                Panel(
                    "Holds and probes",
                    "Holds that began, by their error; probes of held functions; calls that wait for "
                    "the end.",
                    "short",
                    (
                        (
                            increase("penstock_holds_total", CALLED, "function, class"),
                            "{{function}} {{class}}",
                        ),
                        (
                            increase("penstock_hold_probes_total", CALLED, "function"),
                            "{{function}} probes",
                        ),
                        (total("penstock_hold_waiting", CALLED, "function"), "{{function}} waiting"),
                    ),
                ),
                line(
                    "Breaker",
                    "1 while a hold lasts that the breaker began.",
                    "short",
                    most("penstock_breaker_open", CALLED, "processor, function"),
                    "{{processor}} {{function}}",
                ),
                line(
                    "Unknown outcomes",
                    "Attempts of which nobody knows whether they ran.",
                    "ops",
                    rate("penstock_call_unknown_outcomes_total", CALLED, "function"),
                    "{{function}}",
                ),
                Panel(
                    "Outstanding bytes",
                    "Of requests in flight and waiting, and their bound, by process.",
                    "bytes",
                    (
                        (
                            "sum by (pod, instance, process) "
                            '(penstock_outstanding_bytes{namespace=~"$namespace"})',
                            "{{pod}} {{instance}} {{process}}",
                        ),
                        ('max(penstock_outstanding_bytes_limit{namespace=~"$namespace"})', "bound"),
                    ),
                ),
            ),
        ),
        Row(
            "Calls of the workers",
            (
                line(
                    "Calls",
                    "Finished calls, retries over, by outcome.",
                    "ops",
                    rate("penstock_calls_total", CALLED, "function, outcome"),
                    "{{function}} {{outcome}}",
                    stacked=True,
                ),
                Panel(
                    "Duration of an attempt",
                    "From sending it to its whole answer.",
                    "s",
                    quantiles("penstock_call_seconds", CALLED, "function", "{{function}}"),
                ),
                Panel(
                    "Size of a batch",
                    "Records in an attempt: 50 and 95%.",
                    "short",
                    tuple(
                        (
                            quantile(q, "penstock_call_batch_records", CALLED, "function"),
                            f"{{{{function}}}} {int(q * 100)}%",
                        )
                        for q in (0.5, 0.95)
                    ),
                ),
            ),
        ),
        Row(
            "Function host",
            (
                line(
                    "Calls",
                    "That came in, by what became of them.",
                    "ops",
                    rate("penstock_function_host_calls_total", CALLED, "function, outcome"),
                    "{{function}} {{outcome}}",
                    stacked=True,
                ),
                Panel(
                    "How long functions run",
                    "Without their wait for a process.",
                    "s",
                    quantiles("penstock_function_host_call_seconds", CALLED, "function", "{{function}}"),
                ),
                Panel(
                    "Processes",
                    "Of each function, against its concurrency.",
                    "short",
                    (
                        (total("penstock_function_host_processes", CALLED, "function"), "{{function}}"),
                        (
                            total("penstock_function_host_concurrency", CALLED, "function"),
                            "{{function}} at most",
                        ),
                    ),
                ),
                Panel(
                    "Running and waiting",
                    "Calls that run, calls and events that wait for a process.",
                    "short",
                    (
                        (
                            total("penstock_function_host_calls_running", CALLED, "function"),
                            "{{function}} running",
                        ),
                        (
                            total("penstock_function_host_calls_waiting", CALLED, "function"),
                            "{{function}} waiting",
                        ),
                        (
                            total("penstock_function_host_events_waiting", CALLED, "function"),
                            "{{function}} events",
                        ),
                    ),
                ),
                Panel(
                    "Processes of the host",
                    "All of them, and the bound.",
                    "short",
                    (
                        (
                            "sum by (pod, instance) "
                            '(penstock_function_host_processes{namespace=~"$namespace"})',
                            "{{pod}} {{instance}}",
                        ),
                        (
                            "sum by (pod, instance) "
                            '(penstock_function_host_processes_limit{namespace=~"$namespace"})',
                            "{{pod}} {{instance}} bound",
                        ),
                    ),
                ),
                Panel(
                    "Starts and load failures",
                    "Processes started, and sources that did not load.",
                    "short",
                    (
                        (
                            increase("penstock_function_host_process_starts_total", CALLED, "function"),
                            "{{function}} starts",
                        ),
                        (
                            increase("penstock_function_host_load_failures_total", CALLED, "function"),
                            "{{function}} does not load",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
