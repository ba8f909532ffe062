"""Workers come and go under exactly-once, in each ordering."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.scenarios.fates import PLAN_JSON, account, document, expected
from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import Seen, World, until

COUNT = 20_000
PARTITIONS = 8
KEYS = 50
ROUNDS = 3


def key_of(number: int) -> bytes:
    return b"k%d" % (number % KEYS)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("protocol", "ordering"), [("consumer", "partition"), ("classic", "key"), ("consumer", "none")]
)
def test_rebalances_under_exactly_once(
    world: World, protocol: str, ordering: str, record_property: Callable[[str, object], None]
) -> None:
    """A third worker joins and leaves three times: each result and dead letter is there once, in the order
    that the option promises, and no partition's move waits for a time-out."""
    world.kafka_extra["groupProtocol"] = protocol
    world.start_stub(f={**PLAN_JSON, "latency_ms": 8})
    source, results, dead = world.topic("in", PARTITIONS), world.topic("out", PARTITIONS), world.topic("dead")
    options = {"delivery": "exactly-once", "ordering": ordering}
    processor = calling(world, source, results, dead, {"as": "answer", "parallelism": 16}, **options)
    processor["pipeline"].insert(1, {"$match": {"keep": True}})
    app = world.write_app(world.connections(), {"p": processor})
    stay = [world.start_worker(app) for _ in range(2)]
    for worker in stay:
        until(worker.is_ready, 60, "ready workers")
    numbered = ((number, document(number)) for number in range(COUNT))
    by_key: dict[bytes, list[object]] = defaultdict(list)
    for number, value in numbered:
        by_key[key_of(number)].append(value)
    for key, values in by_key.items():
        world.produce(source, values, key=lambda _, key=key: key)  # type: ignore[misc]
    for _ in range(ROUNDS):
        guest = world.start_worker(app)
        until(lambda guest=guest: guest.status("p").get("assigned", 0) > 0, 60, "partitions of the guest")  # type: ignore[misc]
        guest.terminate()
        assert guest.wait(60) == 0
    until(lambda: world.lag(group_of(source), source) == 0, 120, "lag 0")
    found = account(COUNT, world.read(results), world.read(dead))
    calls = world.stub_stats("f")["calls"]
    needed = sum(expected(number) in ("result", "dead") for number in range(COUNT))
    figures = f"{protocol}, {ordering}: {found}, {calls} calls for {needed} documents"
    record_property("figures", figures)
    print(figures)
    assert not found.lost
    assert not found.misplaced
    assert found.repeats == 0, figures
    if ordering != "none":
        assert not out_of_order(world.read(results))
    for worker in stay:
        assert "did not answer" not in worker.log()


def out_of_order(results: list[Seen]) -> list[tuple[int, int]]:
    """Neighbours of one key that stand the wrong way round."""
    by_key: dict[bytes | None, list[int]] = defaultdict(list)
    for record in results:
        by_key[record.key].append(record.json["id"])
    return [pair for ids in by_key.values() for pair in pairwise(ids) if pair[0] > pair[1]]
