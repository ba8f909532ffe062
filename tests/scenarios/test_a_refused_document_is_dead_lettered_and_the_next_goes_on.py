"""`onError: dlq`, the default: a function error costs one document."""

from __future__ import annotations

import pytest

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until


@pytest.mark.kafka
def test_a_refused_document_is_dead_lettered_and_the_next_goes_on(world: World) -> None:
    """30% of the ids meet a throwing function: each is a dead letter with the function's own error, key,
    headers and bytes of the original; the others are results in source order; everything is committed."""
    throws = {"outcome": "function_error", "error_type": "ValueError", "message": "no such customer"}
    world.start_stub(
        f={"outcome": "static", "body": '{"ok":true}', "id_field": "id", "seed": 7, "fates": [[0.3, throws]]}
    )
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    app = world.write_app(world.connections(), {"p": calling(world, source, results, dead, {"as": "answer"})})
    docs = [{"id": number} for number in range(200)]
    world.produce(
        source, docs, key=lambda doc: b"k%d" % doc["id"], headers=[("trace", b"1"), ("trace", None)]
    )
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")

    refused, passed = world.read(dead), world.read(results)
    assert len(refused) + len(passed) == 200
    assert 30 < len(refused) < 90
    assert [record.json["id"] for record in passed] == sorted(record.json["id"] for record in passed)
    assert all(record.json["answer"] == {"ok": True} for record in passed)
    for record in refused:
        number = record.json["id"]
        assert record.value == b'{"id":%d}' % number
        assert record.key == b"k%d" % number
        assert record.headers[:2] == [("trace", b"1"), ("trace", None)]
        why = record.why
        assert why["processorName"] == "p"
        assert why["operatorName"] == "$externalFunction"
        assert why["errInfo"]["reason"] == "ValueError: no such customer"
        assert why["errInfo"]["class"] == "ValueError"
        assert why["errInfo"]["attempts"] == 1
        assert why["errInfo"]["requestId"]
        assert why["_stream_meta"]["source"]["topic"] == source
        assert why["_stream_meta"]["source"]["offset"] == number
        assert why["doc"] == {"id": number}
