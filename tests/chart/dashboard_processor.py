"""The page of one processor."""

from __future__ import annotations

from typing import Final

from tests.chart.dashboard_parts import Dashboard, Panel, Row
from tests.chart.dashboard_queries import (
    NAMESPACE,
    ONE,
    ONE_PROCESSOR,
    POOL,
    increase,
    line,
    most,
    quantiles,
    rate,
    stat,
    total,
)

PROCESSOR: Final = Dashboard(
    "processor",
    "penstock-processor",
    "Penstock / Processor",
    "One processor: its partitions, calls, commits and dead letters.",
    (NAMESPACE, POOL, ONE_PROCESSOR),
    (
        Row(
            "Now",
            (
                stat(
                    "FAILED in",
                    "Processes that have given the processor up.",
                    "short",
                    f'sum(penstock_processor_state{{{ONE},state="FAILED"}})',
                    1,
                ),
                stat(
                    "Partitions",
                    "Owned by all processes together.",
                    "short",
                    f"sum(penstock_partitions_assigned{{{ONE}}})",
                ),
                stat(
                    "Lag",
                    "Records in Kafka that no worker has taken yet.",
                    "short",
                    f"sum(penstock_consumer_lag_records{{{ONE}}})",
                ),
                stat(
                    "Oldest open record",
                    "Age of the oldest record that is taken and not settled.",
                    "s",
                    f"max(penstock_oldest_open_seconds{{{ONE}}})",
                    300,
                ),
                stat(
                    "Repeated by a crash now",
                    "Offsets delivered and not committable.",
                    "short",
                    f"sum(penstock_frontier_lag_records{{{ONE}}})",
                ),
                stat(
                    "Records lost",
                    "Deleted by Kafka before they were read.",
                    "short",
                    f"sum(penstock_records_lost_total{{{ONE}}})",
                    1,
                ),
            ),
        ),
        Row(
            "Records",
            (
                line(
                    "Taken",
                    "Records taken from Kafka, by topic.",
                    "ops",
                    rate("penstock_records_consumed_total", ONE, "topic"),
                    "{{topic}}",
                ),
                line(
                    "Settled",
                    "By what became of them.",
                    "ops",
                    rate("penstock_records_total", ONE, "outcome"),
                    "{{outcome}}",
                    stacked=True,
                ),
                line(
                    "Produced",
                    "Records written and acked, by topic.",
                    "ops",
                    rate("penstock_records_produced_total", ONE, "topic"),
                    "{{topic}}",
                ),
                Panel(
                    "Bytes",
                    "Of values, taken and written.",
                    "Bps",
                    (
                        (rate("penstock_bytes_consumed_total", ONE, "topic"), "taken {{topic}}"),
                        (rate("penstock_bytes_produced_total", ONE, "topic"), "written {{topic}}"),
                    ),
                ),
                Panel(
                    "Twice, or given up",
                    "Records that were taken again, left out as settled before, or given up unsettled.",
                    "ops",
                    (
                        (rate("penstock_records_repeated_total", ONE), "repeated"),
                        (rate("penstock_records_skipped_total", ONE), "skipped"),
                        (rate("penstock_records_abandoned_total", ONE, "reason"), "abandoned: {{reason}}"),
                    ),
                ),
                line(
                    "Fetched for one taken",
                    "Near 1: little is fetched in vain.",
                    "short",
                    f"{rate('penstock_records_fetched_total', ONE)} / "
                    f"{rate('penstock_records_consumed_total', ONE)}",
                    "fetched / taken",
                ),
            ),
        ),
        Row(
            "Partitions",
            (
                line(
                    "Lag",
                    "By partition.",
                    "short",
                    total("penstock_consumer_lag_records", ONE, "topic, partition"),
                    "{{topic}}-{{partition}}",
                ),
                line(
                    "Frontier lag",
                    "Offsets delivered and not committable, by partition.",
                    "short",
                    total("penstock_frontier_lag_records", ONE, "topic, partition"),
                    "{{topic}}-{{partition}}",
                ),
                line(
                    "Oldest open record",
                    "By process.",
                    "s",
                    most("penstock_oldest_open_seconds", ONE, "pod, instance, process"),
                    "{{pod}} {{instance}} {{process}}",
                ),
                Panel(
                    "Partitions",
                    "Assigned; paused because the processor is full; held because the map is.",
                    "short",
                    (
                        (total("penstock_partitions_assigned", ONE), "assigned"),
                        (total("penstock_partitions_paused", ONE), "paused"),
                        (total("penstock_partitions_held_by_map", ONE), "held by the map"),
                    ),
                ),
                Panel(
                    "Buffered",
                    "Records taken and not settled.",
                    "short",
                    (
                        (
                            total("penstock_buffered_records", ONE, "pod, instance, process"),
                            "{{pod}} {{instance}} {{process}}",
                        ),
                    ),
                    stacked=True,
                ),
                Panel(
                    "Buffered bytes",
                    "Their values.",
                    "bytes",
                    (
                        (
                            total("penstock_buffered_bytes", ONE, "pod, instance, process"),
                            "{{pod}} {{instance}} {{process}}",
                        ),
                    ),
                    stacked=True,
                ),
                line(
                    "Characters of maps",
                    "What settled above the frontier; 3,900 are the most.",
                    "short",
                    most("penstock_map_characters", ONE, "topic, partition"),
                    "{{topic}}-{{partition}}",
                ),
                line(
                    "Rebalances",
                    "Changes of the assignment.",
                    "short",
                    increase("penstock_rebalances_total", ONE, "kind"),
                    "{{kind}}",
                ),
                Panel(
                    "Drain",
                    "How long partitions that leave waited for their open records.",
                    "s",
                    quantiles("penstock_drain_seconds", ONE, "reason", "{{reason}}"),
                ),
            ),
        ),
        Row(
            "Calls",
            (
                line(
                    "Calls",
                    "Finished calls, retries over, by outcome.",
                    "ops",
                    rate("penstock_calls_total", ONE, "function, outcome"),
                    "{{function}} {{outcome}}",
                    stacked=True,
                ),
                Panel(
                    "Duration of an attempt",
                    "From sending it to its whole answer.",
                    "s",
                    quantiles("penstock_call_seconds", ONE, "function", "{{function}}"),
                ),
                Panel(
                    "Durations",
                    "Attempts by how long they took.",
                    "s",
                    (
                        (
                            "sum by (le) (increase(penstock_call_seconds_bucket{"
                            + ONE
                            + "}[$__rate_interval]))",
                            "{{le}}",
                        ),
                    ),
                    "heatmap",
                ),
                Panel(
                    "Open and waiting",
                    "Attempts sent; calls that wait for room or their next attempt; the bound.",
                    "short",
                    (
                        (total("penstock_calls_in_flight", ONE, "function"), "{{function}} in flight"),
                        (total("penstock_calls_waiting", ONE, "function"), "{{function}} waiting"),
                        (total("penstock_calls_limit", ONE, "function"), "{{function}} bound"),
                    ),
                ),
                line(
                    "Retries",
                    "Attempts after the first, by reason.",
                    "ops",
                    rate("penstock_call_retries_total", ONE, "function, reason"),
                    "{{function}} {{reason}}",
                ),
                Panel(
                    "Bytes of calls",
                    "Of all attempts and answers.",
                    "Bps",
                    (
                        (rate("penstock_call_bytes_sent_total", ONE, "function"), "{{function}} sent"),
                        (
                            rate("penstock_call_bytes_received_total", ONE, "function"),
                            "{{function}} received",
                        ),
                    ),
                ),
                line(
                    "Records of a call",
                    "Size of batches.",
                    "short",
                    f"{rate('penstock_call_records_total', ONE, 'function')} / "
                    f"{rate('penstock_calls_total', ONE, 'function')}",
                    "{{function}}",
                ),
                Panel(
                    "Answers to batches",
                    "What they said of records, splits, and breaches of the contract.",
                    "ops",
                    (
                        (
                            rate("penstock_call_record_results_total", ONE, "function, result"),
                            "{{function}} {{result}}",
                        ),
                        (rate("penstock_call_splits_total", ONE, "function"), "{{function}} split"),
                        (
                            rate("penstock_call_contract_violations_total", ONE, "function, kind"),
                            "{{function}} broke: {{kind}}",
                        ),
                    ),
                ),
                line(
                    "Hold",
                    "1 for the state that the hold of a call site is in.",
                    "short",
                    most("penstock_hold_state", f'{ONE},state!="open"', "function, state"),
                    "{{function}} {{state}}",
                ),
            ),
        ),
        Row(
            "Commits and dead letters",
            (
                line(
                    "Commits",
                    "Of offsets, by result.",
                    "ops",
                    rate("penstock_commits_total", ONE, "result"),
                    "{{result}}",
                ),
                line(
                    "Transactions",
                    "Under exactly-once, by their end.",
                    "ops",
                    rate("penstock_transactions_total", ONE, "result"),
                    "{{result}}",
                ),
                Panel(
                    "Duration of a transaction",
                    "From its first record to its end.",
                    "s",
                    quantiles("penstock_transaction_seconds", ONE, "processor", ""),
                ),
                line(
                    "Dead letters",
                    "By class and scope of the error.",
                    "ops",
                    rate("penstock_dead_letters_total", ONE, "class, scope"),
                    "{{class}} ({{scope}})",
                ),
                line(
                    "Refused by the producer",
                    "Records that were not written at first.",
                    "ops",
                    rate("penstock_produce_failures_total", ONE, "reason"),
                    "{{reason}}",
                ),
                line(
                    "Time in segments",
                    "Cores spent in the compiled pipeline.",
                    "short",
                    rate("penstock_segment_seconds_total", ONE, "pod, instance, process"),
                    "{{pod}} {{instance}} {{process}}",
                ),
                line(
                    "Schema registry",
                    "Questions to it, by what was asked and how that ended.",
                    "ops",
                    rate("penstock_schema_requests_total", ONE, "operation, result"),
                    "{{operation}} {{result}}",
                ),
            ),
        ),
    ),
)
