"""The broker is killed in the middle of transactions, and comes back."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import WorkerProcess, World, until
from workers.local.kafka import KafkaServer
from workers.local.kafka_settings import KafkaSettings

COUNT = 6_000
RESTARTS = 3
# What a broker takes at most under KIP-848, unless told otherwise.
SESSION_MS = 60_000


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_broker_restart_aborts_transactions_and_repeats_no_result(
    protocol: str,
    topic_name: Callable[[str], str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """kill -9 of the broker three times: every result is there once, nothing of an aborted transaction is
    seen, and no call is repeated: the outcomes of an abort are sent again. The session of the group is
    longer than the broker is away, so that no partition moves, which would repeat calls."""
    settings = KafkaSettings(group_session_timeout_ms=SESSION_MS)
    server = KafkaServer(tmp_path / "broker", settings)
    world = World(server.start(), tmp_path, topic_name)
    world.kafka_extra["groupProtocol"] = protocol
    if protocol == "classic":
        world.kafka_extra["config"] = {"session.timeout.ms": SESSION_MS}
    try:
        world.start_stub(f={"outcome": "static", "body": "1", "latency_ms": 5, "id_field": "id"})
        source, results, dead = world.topic("in", 4), world.topic("out", 4), world.topic("dead")
        call = {"as": "x", "parallelism": 8}
        # A small room: the calls do not run ahead of the transactions.
        options = {"delivery": "exactly-once", "maxBufferedRecords": 300}
        processor = calling(world, source, results, dead, call, **options)
        worker = world.ready_worker(world.write_app(world.connections(), {"p": processor}))
        world.produce(source, [{"id": number} for number in range(COUNT)])
        away = 0.0
        for restart in range(RESTARTS):
            due = COUNT * (restart + 1) // 5
            until(lambda due=due: worker.status("p").get("emitted", 0) > due, 60, "progress")  # type: ignore[misc]
            server.kill()
            killed = time.monotonic()
            server.start()
            away = max(away, time.monotonic() - killed)
        until(lambda: world.lag(group_of(source), source) == 0, 120, "lag 0")
        seen = Counter(record.json["id"] for record in world.read(results))
        everything = len(world.read(results, committed_only=False))
        calls = world.stub_stats("f")["calls"]
        figures = (
            f"{protocol}: {transactions(worker)}, {everything - COUNT} results in aborted transactions, "
            f"{calls} calls, broker away {away:.1f} s at most"
        )
        record_property("figures", figures)
        print(figures)
        assert set(seen) == set(range(COUNT))
        assert seen.total() == COUNT, [found for found in seen.most_common(5) if found[1] > 1]
        assert "partitions_lost" not in worker.log()
        assert calls == COUNT, figures
    finally:
        world.stop()
        server.stop()


def transactions(worker: WorkerProcess) -> dict[str, float]:
    """Transactions by their end, as the metrics show them."""
    found = re.findall(
        r'penstock_transactions_total\{.*?result="(\w+)"\} ([\d.e+]+)', worker.get("/metrics")[1]
    )
    return {result: float(count) for result, count in found}
