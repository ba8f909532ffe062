"""A partition moves to another worker while its calls are open."""

from __future__ import annotations

from collections import Counter

import pytest
from confluent_kafka import TopicPartition

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until
from workers.settings import LIMIT_START

# Of both partitions as many as a worker opens at once before it had an answer.
COUNT = LIMIT_START // 2


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_partition_that_moves_under_open_calls(world: World, protocol: str) -> None:
    """The old owner produces and commits nothing of it once it moved, also when its calls are answered; the
    new one calls again; the calls of the partition that stays are made once. Every id comes out once, with
    its own answer."""
    world.kafka_extra["groupProtocol"] = protocol
    # Answered when the test says so: a second worker takes 3 s to start, or 20 on a busy machine.
    world.start_stub(f={"latency_ms": 600_000, "id_field": "id"})
    source, results, dead = world.topic("in", 2), world.topic("out", 2), world.topic("dead")
    call = {"as": "answer", "parallelism": 64, "timeout": "800s"}
    options = {"revokeDrain": "200ms", "ordering": "none"}
    app = world.write_app(world.connections(), {"p": calling(world, source, results, dead, call, **options)})
    first = world.ready_worker(app)
    for partition in (0, 1):
        world.produce(source, [{"id": f"{partition}-{n}"} for n in range(COUNT)], partition=partition)
    until(lambda: world.stub_stats("f")["calls"] == 2 * COUNT, 30, "open calls of both partitions")
    world.start_stub(f={"latency_ms": 10, "id_field": "id"})
    second = world.ready_worker(app)
    until(lambda: second.status("p").get("emitted") == COUNT, 60, "the results of the partition that moved")
    asker = world._asker(group_of(source))

    def committed() -> list[int]:
        asked = [TopicPartition(source, number) for number in (0, 1)]
        return [found.offset for found in asker.committed(asked, timeout=60)]

    until(lambda: COUNT in committed(), 20, "the commit of the new owner")
    assert first.status("p")["emitted"] == 0, "the first worker's calls must still be open"
    moved = committed().index(COUNT)
    assert world._stub("/release", {}) == 2 * COUNT
    until(lambda: first.status("p").get("emitted") == COUNT, 60, "the results of the partition that stayed")

    def both_committed() -> bool:
        now = committed()
        assert now[moved] == COUNT, "the old owner committed for a partition that had moved"
        return now == [COUNT, COUNT]

    until(both_committed, 20, "both committed")
    first.terminate()
    assert first.wait() == 0
    assert both_committed()
    calls = world.stub_stats("f")["ids"]
    assert calls == {f"{p}-{n}": 2 if p == moved else 1 for p in (0, 1) for n in range(COUNT)}
    found = [record.json for record in world.read(results)]
    assert Counter(doc["id"] for doc in found) == Counter(calls.keys())
    assert all(doc["answer"]["id"] == doc["id"] for doc in found)
    assert world.read(dead) == []
