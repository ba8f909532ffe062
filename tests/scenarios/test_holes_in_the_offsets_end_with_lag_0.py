"""Compacted and transactional topics: offsets that are never delivered."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until

STAGES = [{"$addFields": {"x": 1}}]


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_transactional_topic_with_aborts_ends_with_lag_0(world: World, protocol: str) -> None:
    """Committed records are results, aborted ones are not, and the committed offset ends behind the last
    marker."""
    world.kafka_extra["groupProtocol"] = protocol
    source, results, dead = world.topic("in", 2), world.topic("out"), world.topic("dead")
    app = world.write_app(world.connections(), {"p": story(world, source, results, dead, STAGES)})
    producer = Producer({"bootstrap.servers": world.bootstrap, "transactional.id": f"tx-{source}"})
    producer.init_transactions(30)
    for number in range(6):
        producer.begin_transaction()
        for partition in (0, 1):
            producer.produce(source, b'{"id":%d}' % number, partition=partition)
        if number % 2:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")
    assert sorted(record.json["id"] for record in world.read(results)) == [0, 0, 2, 2, 4, 4]


@pytest.mark.kafka
def test_a_compacted_topic_ends_with_lag_0(world: World) -> None:
    """What compaction removed is neither waited for nor counted as lag."""
    source = world.topic(
        "in", cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.01",
        delete_retention_ms="0", max_compaction_lag_ms="100",
    )  # fmt: skip
    results, dead = world.topic("out"), world.topic("dead")
    for round_ in range(4):
        world.produce(
            source,
            [{"id": number, "round": round_} for number in range(50)],
            key=lambda doc: b"%d" % doc["id"],
        )

    def compacted() -> bool:
        # A new record rolls the segment, and only closed segments are cleaned.
        world.produce(source, [{"id": 0, "round": 9}], key=lambda doc: b"0")
        return len(world.read(source)) < world.count(source)

    until(compacted, 45, "compaction")
    app = world.write_app(world.connections(), {"p": story(world, source, results, dead, STAGES)})
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")
    assert {record.json["id"] for record in world.read(results)} == set(range(50))
