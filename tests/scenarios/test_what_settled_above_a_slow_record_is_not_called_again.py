"""kill -9 while a slow record holds the frontier and thousands behind it have settled."""

from __future__ import annotations

from collections import defaultdict

import pytest
from confluent_kafka import TopicPartition

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until
from workers.progress.checkpoint import Checkpoint, decode

COUNT = 3_000
KEYS = 10


def settled_in_the_map(world: World, source: str) -> int:
    """Offsets above the committed one that the group's commit names as settled."""
    consumer = world._asker(group_of(source))
    (found,) = consumer.committed([TopicPartition(source, 0)], timeout=60)
    checkpoint = decode(found.metadata, found.offset) if found.offset >= 0 else None
    return sum(b - a for a, b in checkpoint.settled) if isinstance(checkpoint, Checkpoint) else 0


@pytest.mark.kafka
@pytest.mark.parametrize("ordering", ["none", "key"])
def test_what_settled_above_a_slow_record_is_not_called_again(world: World, ordering: str) -> None:
    """After the restart the slow record is called again, and by key what waited behind it; nothing else is,
    every id has come out once, and each key in its order."""
    world.start_stub(f={"latency_ms": 600_000, "id_field": "id"})
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    call = {"as": "answer", "parallelism": 64, "timeout": "800s"}
    app = world.write_app(
        world.connections(), {"p": calling(world, source, results, dead, call, ordering=ordering)}
    )
    first = world.ready_worker(app)
    world.produce(source, [{"id": "0"}], key=lambda _: b"0")
    until(lambda: world.stub_stats("f")["calls"] == 1, 30, "the slow call")
    world.start_stub(f={"latency_ms": 5, "id_field": "id"})
    world.produce(
        source, [{"id": str(n)} for n in range(1, COUNT)], key=lambda doc: b"%d" % (int(doc["id"]) % KEYS)
    )
    waiting = COUNT // KEYS - 1 if ordering == "key" else 0
    until(
        lambda: settled_in_the_map(world, source) == COUNT - 1 - waiting, 60, "a commit that names the others"
    )
    until(lambda: world.stub_stats("f")["calls"] == COUNT, 30, "all calls")
    first.kill()

    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 90, "lag 0")
    calls = world.stub_stats("f")["ids"]
    again = {name for name, count in calls.items() if count != 1}
    behind = {str(n) for n in range(COUNT) if ordering == "key" and n % KEYS == 0}
    assert again == {"0"} | behind
    order: dict[int, list[int]] = defaultdict(list)
    for record in world.read(results):
        order[int(record.json["id"]) % KEYS].append(int(record.json["id"]))
    assert sorted(number for numbers in order.values() for number in numbers) == list(range(COUNT))
    if ordering == "key":
        assert all(numbers == sorted(numbers) for numbers in order.values())
    assert world.read(dead) == []
