"""The broker is away at start, or goes away later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until
from workers.local.kafka import KafkaServer
from workers.local.kafka_settings import KafkaSettings


@pytest.mark.kafka
def test_a_worker_whose_broker_vanished_ends_within_its_drain_timeout(
    topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """Its consumer waits for an answer to the last commit; the engine ends by itself, nobody kills it."""
    server = KafkaServer(tmp_path / "broker", KafkaSettings())
    world = World(server.start(), tmp_path, topic_name)
    try:
        world.start_stub(f={"latency_ms": 20, "id_field": "id"})
        source, results, dead = world.topic("in", 2), world.topic("out", 2), world.topic("dead")
        app = world.write_app(
            world.connections(), {"p": calling(world, source, results, dead, {"as": "x"}, drainTimeout="10s")}
        )
        worker = world.ready_worker(app)
        world.produce(source, [{"id": number} for number in range(3_000)])
        until(lambda: worker.status("p").get("emitted", 0) > 100, 30, "mid-flow")
        server.kill()
        worker.terminate()
        assert worker.wait(120) == 0
        assert "killing engine" not in worker.log()
    finally:
        world.stop()
        server.stop()


@pytest.mark.kafka
def test_a_broker_that_is_away_is_waited_for_and_nothing_is_lost(
    topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """A worker started before its broker says so and is not ready; it becomes ready when the broker is there;
    a broker killed in mid-flow makes it not ready again, and after the restart every record is there."""
    data = tmp_path / "broker"
    server = KafkaServer(data, KafkaSettings())
    address = server.start()
    world = World(address, tmp_path, topic_name)
    try:
        world.start_stub(f={"outcome": "static", "body": "1", "latency_ms": 2})
        source, results, dead = world.topic("in", 2), world.topic("out", 2), world.topic("dead")
        app = world.write_app(world.connections(), {"p": calling(world, source, results, dead, {"as": "x"})})
        server.stop()
        worker = world.start_worker(app)
        until(lambda: "source_trouble" in worker.log(), 30, "a word about the broker")
        assert worker.get("/readyz")[0] == 503
        assert worker.get("/livez")[0] == 200

        server.start()
        until(worker.is_ready, 60, "ready once the broker is there")
        world.produce(source, [{"id": number} for number in range(3_000)])
        until(lambda: world.count(results) > 300, 30, "mid-flow")
        server.kill()
        until(lambda: not worker.is_ready(), 40, "not ready without a broker")
        server.start()
        until(worker.is_ready, 60, "ready again")
        world.produce(source, [{"id": number} for number in range(3_000, 4_000)])
        until(lambda: world.lag(group_of(source), source) == 0, 60, "lag 0")
        assert {record.json["id"] for record in world.read(results)} == set(range(4_000))
        assert worker.process.poll() is None
    finally:
        world.stop()
        server.stop()
