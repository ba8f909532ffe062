"""A dead letter that cannot be written: the record is not committed."""

from __future__ import annotations

import pytest

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until


@pytest.mark.kafka
def test_an_unwritable_dead_letter_topic_holds_the_offset(world: World) -> None:
    """A dead-letter topic that takes 100 bytes at most refuses even the truncated letter: the offset stays
    before the poison while the records around it go on; once the topic is mended the letter is written,
    without its content, and all is committed."""
    source, results = world.topic("in"), world.topic("out")
    dead = world.topic("dead", max_message_bytes="100")
    app = world.write_app(
        world.connections(), {"p": story(world, source, results, dead, [{"$addFields": {"x": 1}}])}
    )
    world.produce(source, [{"id": 0}, b"poison", {"id": 1}])
    worker = world.ready_worker(app)
    until(lambda: world.count(results) == 2, 30, "the good ones")
    until(lambda: worker.status("p").get("buffered") is not None, 10)
    assert world.count(dead) == 0
    assert world.lag(group_of(source), source) >= 2, "nothing at or behind the poison is committed"
    world.configure_topic(dead, max_message_bytes="1000000")
    until(lambda: world.lag(group_of(source), source) == 0, 40, "lag 0")
    [letter] = world.read(dead)
    assert letter.why["_stream_meta"]["source"]["offset"] == 1
