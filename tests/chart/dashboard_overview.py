"""The page of all processors and workers."""

from __future__ import annotations

from typing import Final

from tests.chart.dashboard_parts import Dashboard, Panel, Row
from tests.chart.dashboard_queries import (
    ANY,
    ANY_PROCESSOR,
    IN,
    NAMESPACE,
    POOL,
    increase,
    line,
    most,
    quantile,
    quantiles,
    rate,
    stat,
    total,
)

OVERVIEW: Final = Dashboard(
    "overview",
    "penstock-overview",
    "Penstock / Overview",
    "All processors and workers: is anything wrong, and where.",
    (NAMESPACE, POOL, ANY_PROCESSOR),
    (
        Row(
            "Now",
            (
                stat(
                    "FAILED processors",
                    "Processors that some process has given up.",
                    "short",
                    f"count(max by (namespace, processor) "
                    f'(penstock_processor_state{{{ANY},state="FAILED"}}) > 0) or vector(0)',
                    1,
                ),
                stat(
                    "Held functions",
                    "Call sites that wait for a function that does not work.",
                    "short",
                    f"count(max by (namespace, processor, function) "
                    f'(penstock_hold_state{{{ANY},state=~"held|probing"}}) > 0) or vector(0)',
                    1,
                ),
                stat(
                    "Processes not ready",
                    "Engine processes that are not ready or wait to be started again.",
                    "short",
                    f'sum(penstock_supervisor_engines{{{IN},state=~"not_ready|waiting"}})',
                    1,
                ),
                stat(
                    "Records a second",
                    "Taken from Kafka.",
                    "ops",
                    f"sum(rate(penstock_records_consumed_total{{{ANY}}}[$__rate_interval]))",
                ),
                stat(
                    "Lag",
                    "Records in Kafka that no worker has taken yet.",
                    "short",
                    f"sum(penstock_consumer_lag_records{{{ANY}}})",
                ),
                stat(
                    "Dead letters a minute",
                    "Written and acked.",
                    "short",
                    f"60 * sum(rate(penstock_dead_letters_total{{{ANY}}}[$__rate_interval])) or vector(0)",
                    1,
                ),
            ),
        ),
        Row(
            "Records",
            (
                line(
                    "Taken",
                    "Records taken from Kafka.",
                    "ops",
                    rate("penstock_records_consumed_total", ANY),
                    "{{processor}}",
                ),
                line(
                    "Settled",
                    "Records by what became of them.",
                    "ops",
                    rate("penstock_records_total", ANY, "outcome"),
                    "{{outcome}}",
                    stacked=True,
                ),
                line(
                    "Dead letters",
                    "By the class of the error; `penstock explain-error` says what each means.",
                    "ops",
                    rate("penstock_dead_letters_total", ANY, "processor, class"),
                    "{{processor}} {{class}}",
                ),
                line(
                    "Lag",
                    "Records in Kafka that no worker has taken yet.",
                    "short",
                    total("penstock_consumer_lag_records", ANY),
                    "{{processor}}",
                ),
                line(
                    "Scale hint",
                    "Lag that more workers could remove: near 0 while the function is the bound.",
                    "short",
                    total("penstock_scale_hint_records", ANY),
                    "{{processor}}",
                ),
                line(
                    "Oldest open record",
                    "Age of the oldest record that is taken and not settled.",
                    "s",
                    most("penstock_oldest_open_seconds", ANY),
                    "{{processor}}",
                ),
            ),
        ),
        Row(
            "Calls",
            (
                line(
                    "Calls",
                    "Finished calls, retries over.",
                    "ops",
                    rate("penstock_calls_total", ANY, "processor, function"),
                    "{{processor}} {{function}}",
                ),
                line(
                    "Failed calls",
                    "Share of calls that did not end well, retries over.",
                    "percentunit",
                    rate("penstock_calls_total", f'{ANY},outcome!~"ok|abandoned"', "processor, function")
                    + " / "
                    + rate("penstock_calls_total", ANY, "processor, function"),
                    "{{processor}} {{function}}",
                ),
                Panel(
                    "Duration of an attempt",
                    "From sending it to its whole answer.",
                    "s",
                    quantiles("penstock_call_seconds", ANY, "function", "{{function}}"),
                ),
            ),
        ),
        Row(
            "Workers",
            (
                line(
                    "CPU of processes",
                    "Cores. An engine process uses one at most: at 1 it is the bound.",
                    "short",
                    f"sum by (pod, instance, process) "
                    f"(rate(process_cpu_seconds_total{{{IN}}}[$__rate_interval]))",
                    "{{pod}} {{instance}} {{process}}",
                ),
                line(
                    "Memory of processes",
                    "Resident.",
                    "bytes",
                    f"sum by (pod, instance, process) (process_resident_memory_bytes{{{IN}}})",
                    "{{pod}} {{instance}} {{process}}",
                ),
                line(
                    "Slices of the event loop",
                    "99% of the slices held the loop for less; answers wait that long.",
                    "s",
                    quantile(0.99, "penstock_loop_slice_seconds", IN, "pod, instance"),
                    "{{pod}} {{instance}}",
                ),
                Panel(
                    "Engine processes",
                    "By state.",
                    "short",
                    ((total("penstock_supervisor_engines", IN, "state"), "{{state}}"),),
                    stacked=True,
                ),
                Panel(
                    "Restarts",
                    "Processes, processors and consumers that were started again.",
                    "short",
                    (
                        (
                            increase("penstock_supervisor_engine_restarts_total", IN, "pod, instance"),
                            "process {{pod}} {{instance}}",
                        ),
                        (
                            increase("penstock_processor_restarts_total", ANY, "processor"),
                            "{{processor}}",
                        ),
                        (
                            increase("penstock_consumers_replaced_total", ANY, "processor"),
                            "consumer {{processor}}",
                        ),
                    ),
                ),
                line(
                    "Rebalances",
                    "Changes of the assignment.",
                    "short",
                    increase("penstock_rebalances_total", ANY, "processor, kind"),
                    "{{processor}} {{kind}}",
                ),
                Panel(
                    "Versions",
                    "What runs where.",
                    "short",
                    ((f"penstock_build_info{{{IN}}}", ""),),
                    "table",
                    width=24,
                ),
            ),
        ),
    ),
)
