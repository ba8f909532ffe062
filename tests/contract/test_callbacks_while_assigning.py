"""What the client does after it was asked something inside `on_assign`, with a real broker: in a process of
its own, which the client may end."""

from __future__ import annotations

import subprocess
import sys

from tests.kafka_fixture import MakeTopic

PROGRAM = """
import sys, time
from tests.unit.adapters.kafka_client import Events
from workers.adapters import kafka_statistics
from workers.adapters.kafka_consumer import KafkaSource
from workers.adapters.kafka_source_settings import SourceSettings
from workers.progress.room import RoomLimits
from workers.progress.start import StartPolicy

kafka_statistics.INTERVAL_MS = 1  # so that a callback is always due behind the one that runs
address, topic, protocol = sys.argv[1:]
events = Events()
source = KafkaSource(SourceSettings(
    "orders", topic, (topic,), {"bootstrap.servers": address}, protocol, StartPolicy("earliest", "fail"),
    RoomLimits(1_000, 1_000_000, 1.0), 100), events)
end = time.monotonic() + 90
while not any(kind == "assigned" for kind, _ in events.seen) and time.monotonic() < end:
    source.turn(time.monotonic(), 0.1)
for _ in range(20):
    source.turn(time.monotonic(), 0.05)
print([found for kind, found in events.seen if kind in ("assigned", "failed")], end=" ")
print(source.status().counts.replaced)
"""


def test_counting_partitions_in_a_rebalance_does_not_end_the_process(
    kafka: str, make_topic: MakeTopic
) -> None:
    """A new group asks how many partitions there are while other callbacks are due; both protocols."""
    for protocol in ("consumer", "classic"):
        topic = make_topic(f"counted-{protocol}", partitions=2)
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM, kafka, topic, protocol],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr[-2_000:]
        assert f"TopicPartition(topic='{topic}', partition=1): 0" in ran.stdout
        assert ran.stdout.strip().endswith("}] 0")
