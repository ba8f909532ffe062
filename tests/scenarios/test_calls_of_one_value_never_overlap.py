"""`partitionBy` as the function sees it, with batches and without."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until

RECORDS = 1_000
VALUES = 37
FATES = [[0.05, {"outcome": "error", "times": 1}]]
BATCHES: dict[str, dict[str, Any]] = {
    "records": {"as": "answer", "batch": {"maxRecords": 20}},
    "array": {"as": "answer", "batch": {"maxRecords": 20, "contract": "array"}},
    "kafkaEvent": {"batch": {"maxRecords": 20, "contract": "kafkaEvent"}},
}


@pytest.mark.kafka
@pytest.mark.parametrize("contract", BATCHES)
def test_calls_of_one_value_never_overlap(world: World, contract: str) -> None:
    """Records of 37 values over three partitions, each value in one of them: at no time two calls hold the
    same value, and new records of a value come in their order, retries among them."""
    fates = FATES if contract != "array" else []
    behaviour = {"outcome": "batch", "latency_ms": 8, "id_field": "id", "fates": fates}
    world.start_stub(f={**behaviour, "value_field": "of", "order_field": "id"})
    source, results, dead = world.topic("in", 3), world.topic("out"), world.topic("dead")
    call = {
        "partitionBy": "$of",
        "parallelism": 16,
        "retry": {"base": "2ms", "cap": "5ms"},
        **BATCHES[contract],
    }
    app = world.write_app(world.connections(), {"p": calling(world, source, results, dead, call)})
    documents = [{"id": n, "of": n % VALUES} for n in range(RECORDS)]
    world.produce(source, documents, key=lambda doc: b"%d" % doc["of"])
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 40, "lag 0")

    stats = world.stub_stats("f")
    assert (stats["overlaps"], stats["disorder"]) == (0, 0)
    assert len(stats["ids"]) == RECORDS
    assert sorted(record.json["id"] for record in world.read(results)) == list(range(RECORDS))
    assert world.read(dead) == []
