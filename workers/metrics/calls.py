"""Metrics of calls."""

from __future__ import annotations

from typing import Final

from workers.metrics.metric import CALL_OUTCOMES, CONTRACT_VIOLATIONS, RECORD_RESULTS, RETRY_REASONS, Metric

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
    "Documents that wait for a place under `parallelism`, for their value (`partitionBy`), or in a hold.",
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
    "`parallelism`: attempts that a processor may have in flight at most; penstock_function_limit is what is "
    "learned below it.",
)
