"""Metrics of the backlog, commits and rebalances."""

from __future__ import annotations

from typing import Final

from workers.metrics.metric import Metric

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
SCALE_HINT: Final = Metric(
    "gauge",
    "penstock_scale_hint_records",
    ("processor",),
    "Lag of this process that more workers could remove, for an autoscaler: the sum of "
    "penstock_consumer_lag_records; 0 while what the processor calls lets no more through (held, throttled "
    "below `parallelism`, or a rate that is used up) and while it does not run.",
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
