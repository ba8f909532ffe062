"""Metrics of records: taken, settled, written."""

from __future__ import annotations

from typing import Final

from workers.metrics.metric import RECORD_OUTCOMES, SCOPES, Metric

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
    "tells every 10 s. Divided by the records consumed it shows, over time, what was fetched in vain.",
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
