"""Batches with partial failures on a real broker: every record ends once, where its fate says."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.fakes.lambda_behaviour import Behaviour, Fate, fate_of
from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until

RECORDS = 3_000
FATES = [
    [0.05, {"outcome": "function_error"}],
    [0.05, {"outcome": "empty"}],
    [0.10, {"outcome": "error", "times": 2}],
    [0.02, {"outcome": "error"}],
]


def _fate(number: int) -> str:
    fates = tuple(Fate(share, Behaviour(**planned)) for share, planned in FATES)  # type: ignore[arg-type]
    found = fate_of(Behaviour(id_field="id", fates=fates), str(number))
    if found.outcome == "function_error" or (found.outcome == "error" and not found.times):
        return "dead letter"
    return "dropped" if found.outcome == "empty" else "result"


@pytest.mark.kafka
def test_batches_mix_partitions_and_account_for_every_record(world: World) -> None:
    """Four partitions, batches of 50, records that fail, are dropped, tried again and given up: results and
    dead letters hold each id that they should once, results in the order of their partition."""
    world.start_stub(f={"outcome": "batch", "id_field": "id", "latency_ms": 5, "fates": FATES})
    source, results, dead = world.topic("in", 4), world.topic("out", 4), world.topic("dead")
    call = {
        "as": "answer",
        "parallelism": 8,
        "batch": {"maxRecords": 50, "maxDelay": "20ms"},
        "retry": {"maxAttempts": 4, "base": "5ms", "cap": "20ms"},
    }
    app = world.write_app(world.connections(), {"p": calling(world, source, results, dead, call)})
    world.produce(source, [{"id": n} for n in range(RECORDS)], key=lambda doc: b"%d" % (doc["id"] % 97))
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 40, "lag 0")

    expected = {kind: [n for n in range(RECORDS) if _fate(n) == kind] for kind in ("result", "dead letter")}
    passed, refused = world.read(results), world.read(dead)
    assert Counter(record.json["id"] for record in passed) == Counter(expected["result"])
    assert Counter(record.json["id"] for record in refused) == Counter(expected["dead letter"])
    assert all(record.json["answer"] == {"id": record.json["id"]} for record in passed)
    for partition in range(4):
        ids = [record.json["id"] for record in passed if record.partition == partition]
        by_key: dict[int, list[int]] = {}
        for number in ids:
            by_key.setdefault(number % 97, []).append(number)
        assert all(numbers == sorted(numbers) for numbers in by_key.values()), "results left their order"
    stats = world.stub_stats("f")
    assert stats["calls"] < RECORDS / 4, "records went one by one"
    assert max(stats["ids"].values()) == 4
