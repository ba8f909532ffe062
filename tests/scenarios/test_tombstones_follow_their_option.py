"""`options.tombstones`: pass, drop or dlq."""

from __future__ import annotations

import pytest

from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until


@pytest.mark.kafka
@pytest.mark.parametrize("rule", ["pass", "drop", "dlq"])
def test_tombstones_follow_their_option(world: World, rule: str) -> None:
    """pass: null under the same key in the results, without a call; drop: nowhere; dlq: a dead letter with a
    null value."""
    world.start_stub(f={"outcome": "static", "body": "1"})
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    processor = calling(world, source, results, dead, {"as": "x"}, tombstones=rule)
    app = world.write_app(world.connections(), {"p": processor})
    world.produce(
        source, [{"id": 1}, None, {"id": 2}], key=lambda value: b"key" if value is None else b"other"
    )
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")

    nulls = [record.key for record in world.read(results) if record.value is None]
    letters = [(record.key, record.value) for record in world.read(dead)]
    assert nulls == ([b"key"] if rule == "pass" else [])
    assert letters == ([(b"key", None)] if rule == "dlq" else [])
    assert world.stub_stats("f")["calls"] == 2
