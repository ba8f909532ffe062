"""`onError: ignore`: the document passes without `as`."""

from __future__ import annotations

import pytest

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until


@pytest.mark.kafka
def test_ignored_errors_let_the_document_go_on(world: World) -> None:
    """API errors and function errors alike: every document arrives, those that failed without the field, none
    is dead-lettered."""
    denied = {"outcome": "error", "status": 400, "error_type": "InvalidRequestContentException"}
    throws = {"outcome": "function_error", "error_type": "Error"}
    world.start_stub(
        f={"outcome": "static", "body": "1", "id_field": "id", "fates": [[0.2, denied], [0.2, throws]]}
    )
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    call = {"as": "answer", "onError": "ignore"}
    app = world.write_app(world.connections(), {"p": calling(world, source, results, dead, call)})
    world.produce(source, [{"id": number} for number in range(100)])
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")

    passed = [record.json for record in world.read(results)]
    assert [doc["id"] for doc in passed] == list(range(100))
    with_answer = sum("answer" in doc for doc in passed)
    assert 40 < with_answer < 80
    assert world.count(dead) == 0
