"""The one catalogue of metrics: data only. `workers/counting.py` counts, docs/metrics.md is printed.

Every sample of an engine process carries a `process` label by the time it is scraped: the supervisor adds it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
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


# ---- records ----
RECORDS_CONSUMED: Final = Metric(
    "counter",
    "penstock_records_consumed_total",
    ("processor", "topic"),
    "Records taken from Kafka, tombstones and poison included.",
)
RECORDS_FETCHED: Final = Metric(
    "counter",
    "penstock_records_fetched_total",
    ("processor",),
    "Records that the client received, those included that a pause or a revocation threw away; the client "
    "tells every 10 s. Divided by the records consumed it shows what was fetched in vain.",
)
BYTES_CONSUMED: Final = Metric(
    "counter",
    "penstock_bytes_consumed_total",
    ("processor", "topic"),
    "Bytes of values taken from Kafka.",
)
RECORDS: Final = Metric(
    "counter",
    "penstock_records_total",
    ("processor", "outcome"),
    "Settled records by what became of them. emitted: written and acked, or accepted by the call that ends "
    "the pipeline. dead_lettered: written to the dead-letter topic and acked. dropped: filtered out, or a "
    "tombstone that `options.tombstones` drops. ignored: the call that ends the pipeline failed, and its "
    "`onError` is ignore.",
    values={"outcome": RECORD_OUTCOMES},
)
RECORDS_REPEATED: Final = Metric(
    "counter",
    "penstock_records_repeated_total",
    ("processor",),
    "Records taken again by this process: below an offset that it had taken before the partition moved.",
)
RECORDS_SKIPPED: Final = Metric(
    "counter",
    "penstock_records_skipped_total",
    ("processor",),
    "Records delivered again that were not taken up: the map in the group's commit says that an earlier "
    "owner settled them.",
)
RECORDS_ABANDONED: Final = Metric(
    "counter",
    "penstock_records_abandoned_total",
    ("processor", "reason"),
    "Records taken and given up unsettled, to be read again by the partition's next owner.",
    values={"reason": ("revoked", "lost", "stopped", "failed")},
)
RECORDS_LOST: Final = Metric(
    "counter",
    "penstock_records_lost_total",
    ("processor",),
    "Offsets from the committed one to the first one still in Kafka: retention overtook the processor.",
)
DEAD_LETTERS: Final = Metric(
    "counter",
    "penstock_dead_letters_total",
    ("processor", "class", "scope"),
    "Dead letters written and acked, by the class and scope of the error.",
    values={"scope": SCOPES},
    max_series=300,
)
RECORDS_PRODUCED: Final = Metric(
    "counter",
    "penstock_records_produced_total",
    ("processor", "topic"),
    "Records written to a topic and acked by the broker, dead letters included.",
)
BYTES_PRODUCED: Final = Metric(
    "counter",
    "penstock_bytes_produced_total",
    ("processor", "topic"),
    "Bytes of values written to a topic and acked by the broker.",
)
PRODUCE_FAILURES: Final = Metric(
    "counter",
    "penstock_produce_failures_total",
    ("processor", "reason"),
    "Records that the producer gave back unwritten. too_large: never will be. no_topic: nor will this, "
    "to a topic that a document named. fatal: the producer is replaced. retried: sent again.",
    values={"reason": ("too_large", "no_topic", "fatal", "retried")},
)
PRODUCER_OUTSTANDING: Final = Metric(
    "gauge",
    "penstock_producer_outstanding_records",
    ("connection",),
    "Records queued in a connection's producer or in flight to the broker.",
)

# ---- calls ----
CALLS: Final = Metric(
    "counter",
    "penstock_calls_total",
    ("processor", "function", "outcome"),
    "Finished calls, retries over, by how the last attempt ended. abandoned: the partition moved or the "
    "drain ended before the answer.",
    values={"outcome": CALL_OUTCOMES},
)
CALL_SECONDS: Final = Metric(
    "histogram",
    "penstock_call_seconds",
    ("processor", "function"),
    "One attempt, from sending it to its whole answer or its failure.",
    buckets=(
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
        60.0,
        300.0,
        900.0,
    ),
)
CALL_RETRIES: Final = Metric(
    "counter",
    "penstock_call_retries_total",
    ("processor", "function", "reason"),
    "Attempts after the first of a call, by what ended the attempt before.",
    values={"reason": RETRY_REASONS},
)
CALL_RECORDS: Final = Metric(
    "counter",
    "penstock_call_records_total",
    ("processor", "function"),
    "Records carried by finished calls; divided by penstock_calls_total it is the size of a batch.",
)
CALL_BYTES_SENT: Final = Metric(
    "counter",
    "penstock_call_bytes_sent_total",
    ("processor", "function"),
    "Bytes of the bodies of all attempts.",
)
CALL_BYTES_RECEIVED: Final = Metric(
    "counter",
    "penstock_call_bytes_received_total",
    ("processor", "function"),
    "Bytes of the bodies of all answers.",
)
CALL_BATCH_RECORDS: Final = Metric(
    "histogram",
    "penstock_call_batch_records",
    ("processor", "function"),
    "Records in one attempt of a call with `batch`.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000),
)
CALL_BATCH_BYTES: Final = Metric(
    "histogram",
    "penstock_call_batch_bytes",
    ("processor", "function"),
    "Bytes of the body of one attempt of a call with `batch`.",
    buckets=(1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 2_097_152, 4_194_304, 6_291_456),
)
CALL_SPLITS: Final = Metric(
    "counter",
    "penstock_call_splits_total",
    ("processor", "function"),
    "Batches, or pieces of them, that failed as a whole and were split in two.",
)
CALL_RECORD_RESULTS: Final = Metric(
    "counter",
    "penstock_call_record_results_total",
    ("processor", "function", "result"),
    "What answers to batches said of their records. follow: the record goes again with one before it.",
    values={"result": RECORD_RESULTS},
)
CALL_CONTRACT_VIOLATIONS: Final = Metric(
    "counter",
    "penstock_call_contract_violations_total",
    ("processor", "function", "kind"),
    "What in answers to batches broke `batch.contract`: whole answers (not_json, wrong_length), or items.",
    values={"kind": CONTRACT_VIOLATIONS},
)
CALLS_IN_FLIGHT: Final = Metric(
    "gauge",
    "penstock_calls_in_flight",
    ("processor", "function"),
    "Attempts sent and not yet answered.",
)
CALLS_WAITING: Final = Metric(
    "gauge",
    "penstock_calls_waiting",
    ("processor", "function"),
    "Calls that wait for room under `parallelism` or for their next attempt.",
)
THROTTLE_WAITS: Final = Metric(
    "counter",
    "penstock_throttle_waits_total",
    ("processor", "stage"),
    "Waits of a `$throttle` for its rate; `stage` is its place in the pipeline.",
)
THROTTLE_SECONDS: Final = Metric(
    "counter",
    "penstock_throttle_wait_seconds_total",
    ("processor", "stage"),
    "Seconds that a `$throttle` waited for its rate.",
)
THROTTLE_WAITING: Final = Metric(
    "gauge",
    "penstock_throttle_waiting",
    ("processor", "stage"),
    "Documents that stand in line at a `$throttle`.",
)
CALLS_LIMIT: Final = Metric(
    "gauge",
    "penstock_calls_limit",
    ("processor", "function"),
    "Attempts that may be in flight at once.",
)

# ---- backlog and progress ----
BUFFERED_RECORDS: Final = Metric(
    "gauge",
    "penstock_buffered_records",
    ("processor",),
    "Records taken and not yet settled.",
)
BUFFERED_BYTES: Final = Metric(
    "gauge",
    "penstock_buffered_bytes",
    ("processor",),
    "Bytes of the values of records taken and not yet settled.",
)
PARTITIONS_ASSIGNED: Final = Metric(
    "gauge", "penstock_partitions_assigned", ("processor",), "Partitions that this process owns."
)
PARTITIONS_PAUSED: Final = Metric(
    "gauge",
    "penstock_partitions_paused",
    ("processor",),
    "Owned partitions that are paused because the processor is full.",
)
PARTITIONS_HELD: Final = Metric(
    "gauge",
    "penstock_partitions_held_by_map",
    ("processor",),
    "Owned partitions whose records wait because the map of what settled above their frontier is nearly as "
    "long as a commit takes: the record at the front stands still while those behind it settle.",
)
MAP_CHARACTERS: Final = Metric(
    "gauge",
    "penstock_map_characters",
    ("processor", "topic", "partition"),
    "How long the map of settled offsets and attempts is that goes with the partition's commits; 3,900 are "
    "the most, and at three quarters of it nothing more of the partition is taken up.",
)
MAPS_UNREADABLE: Final = Metric(
    "counter",
    "penstock_maps_unreadable_total",
    ("processor",),
    "Assigned partitions whose commit carried metadata that is no map of this version: records above the "
    "committed offset that had settled are repeated.",
)
CONSUMER_LAG: Final = Metric(
    "gauge",
    "penstock_consumer_lag_records",
    ("processor", "topic", "partition"),
    "Offsets between the position of an owned partition and its end.",
    max_series=5_000,
)
FRONTIER_LAG: Final = Metric(
    "gauge",
    "penstock_frontier_lag_records",
    ("processor", "topic", "partition"),
    "Offsets delivered minus offsets that may be committed: what a crash now would repeat at most.",
    max_series=5_000,
)
COMMITTED_OFFSET: Final = Metric(
    "gauge",
    "penstock_committed_offset",
    ("processor", "topic", "partition"),
    "The offset last committed by this process, the next one to read after a restart.",
    max_series=5_000,
)
OLDEST_OPEN: Final = Metric(
    "gauge",
    "penstock_oldest_open_seconds",
    ("processor",),
    "Age of the oldest record that is taken and not yet settled; 0 when there is none.",
)
COMMITS: Final = Metric(
    "counter",
    "penstock_commits_total",
    ("processor", "result"),
    "Commits of offsets by their result. A failed one is sent again.",
    values={"result": ("ok", "failed")},
)
TRANSACTIONS: Final = Metric(
    "counter",
    "penstock_transactions_total",
    ("processor", "result"),
    "Transactions under exactly-once by their end. aborted: nothing of it was seen, and the same records "
    "are sent again without repeating a call. in_doubt: one of both; the group's offsets were asked which.",
    values={"result": ("committed", "aborted", "in_doubt")},
)
TRANSACTION_SECONDS: Final = Metric(
    "histogram",
    "penstock_transaction_seconds",
    ("processor",),
    "One transaction, from its first record to its end.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
TRANSACTIONS_FENCED: Final = Metric(
    "counter",
    "penstock_transactions_fenced_total",
    ("processor",),
    "Transactions that failed because another client registered the same transactional id. One after a pause "
    "of this process is harmless; steadily, two live processes share a PENSTOCK_SLOT.",
)
OUTCOMES_WAITING: Final = Metric(
    "gauge",
    "penstock_outcomes_waiting",
    ("processor",),
    "Settled records whose results, dead letters and offsets no transaction has committed yet.",
)
REBALANCES: Final = Metric(
    "counter",
    "penstock_rebalances_total",
    ("processor", "kind"),
    "Changes of the assignment as the client reported them.",
    values={"kind": ("assigned", "revoked", "lost")},
)
DRAIN_SECONDS: Final = Metric(
    "histogram",
    "penstock_drain_seconds",
    ("processor", "reason"),
    "How long open records were waited for before partitions were given up.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0),
    values={"reason": ("revoked", "stopped", "failed")},
)

# ---- processors and processes ----
PROCESSOR_STATE: Final = Metric(
    "gauge",
    "penstock_processor_state",
    ("processor", "state"),
    "1 for the state that the processor is in, 0 for the others.",
    values={"state": STATES},
)
PROCESSOR_RESTARTS: Final = Metric(
    "counter",
    "penstock_processor_restarts_total",
    ("processor",),
    "Consumers replaced after an error that a client cannot survive, each after a back-off.",
)
SEGMENT_SECONDS: Final = Metric(
    "counter",
    "penstock_segment_seconds_total",
    ("processor",),
    "Time spent in the compiled segments.",
)
LOOP_SLICE_SECONDS: Final = Metric(
    "histogram",
    "penstock_loop_slice_seconds",
    (),
    "How long one slice of work held the event loop; answers of calls wait that long.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
BUILD_INFO: Final = Metric(
    "gauge", "penstock_build_info", ("version", "python"), "Always 1; the labels say what is running."
)
ENGINES_RUNNING: Final = Metric(
    "gauge", "penstock_supervisor_engines", ("state",), "Engine processes by state.",
    values={"state": ("ready", "not_ready", "waiting")},
)  # fmt: skip
ENGINE_RESTARTS: Final = Metric(
    "counter",
    "penstock_supervisor_engine_restarts_total",
    (),
    "Engine processes started again after they had ended.",
)
ENGINE_SILENCE: Final = Metric(
    "gauge",
    "penstock_supervisor_engine_silence_seconds",
    ("engine",),
    "Time since an engine process last reported. Its samples here are that old.",
)
LINES_REFUSED: Final = Metric(
    "counter",
    "penstock_supervisor_lines_refused_total",
    ("reason",),
    "Lines of engine processes that were no status, and samples in them that were no samples.",
    values={"reason": ("too_long", "not_a_status", "not_a_sample")},
)

ALL: Final = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
SUPERVISOR: Final = tuple(m for m in ALL if m.name.startswith("penstock_supervisor_") or m is BUILD_INFO)
ENGINE: Final = tuple(m for m in ALL if not m.name.startswith("penstock_supervisor_"))


def as_markdown(catalogue: Iterable[Metric] = ALL) -> str:
    """The page docs/metrics.md: one table of all metrics."""
    lines = [
        "# Metrics",
        "",
        "Printed from `workers/metrics.py` by `python -m workers.metrics`; a test keeps the two in step.",
        "",
        "Samples of engine processes carry one more label, `process`: the number of the process, or",
        "`supervisor`. Each also shows `process_cpu_seconds_total`, `process_resident_memory_bytes` and",
        "the other metrics of prometheus-client's process collector. A label whose values are not listed is",
        f"bounded: past the number of series in the last column its values become `{OTHER}`.",
        "",
        "| metric | kind | labels | meaning | series at most |",
        "|---|---|---|---|---|",
    ]
    for metric in catalogue:
        labels = ", ".join(
            f"`{label}` ({' / '.join(metric.values[label])})" if label in metric.values else f"`{label}`"
            for label in metric.labels
        )
        open_labels = [label for label in metric.labels[1:] if label not in metric.values]
        bound = f"{metric.max_series:,}" if open_labels else ""
        lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} | {bound} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
