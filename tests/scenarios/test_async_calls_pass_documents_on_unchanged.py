"""`execution: async`: accepted is enough."""

from __future__ import annotations

import pytest

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until


@pytest.mark.kafka
def test_async_calls_pass_documents_on_unchanged(world: World) -> None:
    """Every document is invoked as Event once and arrives as it came; a throwing function is AWS's business
    then, an API error is `onError`'s."""
    too_large = {"outcome": "error", "status": 413, "error_type": "RequestTooLargeException"}
    throws = {"outcome": "function_error"}
    world.start_stub(f={"outcome": "echo", "id_field": "id", "fates": [[0.1, too_large], [0.3, throws]]})
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    app = world.write_app(
        world.connections(), {"p": calling(world, source, results, dead, {"execution": "async"})}
    )
    world.produce(source, [{"id": number, "text": "x"} for number in range(100)])
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")

    passed, refused = world.read(results), world.read(dead)
    assert all(record.value == b'{"id":%d,"text":"x"}' % record.json["id"] for record in passed)
    assert len(passed) + len(refused) == 100
    assert 0 < len(refused) < 30
    assert {record.why["errInfo"]["class"] for record in refused} == {"RequestTooLargeException"}
    assert world.stub_stats("f")["calls"] == 100
