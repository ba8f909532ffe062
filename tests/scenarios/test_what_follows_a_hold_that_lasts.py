"""`hold.timeout` is over and the function is still not there: `hold.after` decides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.scenarios.flow import ECHO, MISSING, documents, ids_in, samples_until
from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import WorkerProcess, World, until

TIMEOUT_SECONDS = 2
BEFORE, AFTER = 20, 60


class Story:
    """A processor whose function goes away after its first documents."""

    def __init__(self, world: World, after: str, **options: Any) -> None:
        world.start_stub(f=ECHO)
        self.world = world
        self.source, self.results, self.dead = world.topic("in"), world.topic("out"), world.topic("dead")
        call = {"as": "x", "hold": {"timeout": f"{TIMEOUT_SECONDS}s", "after": after}}
        processor = calling(world, self.source, self.results, self.dead, call, **options)
        self.app = world.write_app(world.connections(), {"p": processor})

    def begin(self) -> WorkerProcess:
        """Start, and lose the function while documents come."""
        worker = self.world.ready_worker(self.app)
        self.world.produce(self.source, documents(0, BEFORE))
        until(self.is_through, 30, "the first documents")
        self.world.start_stub(f=MISSING)
        self.world.produce(self.source, documents(BEFORE, AFTER))
        return worker

    def is_through(self) -> bool:
        return self.world.lag(group_of(self.source), self.source) == 0


@pytest.mark.kafka
def test_after_on_error_each_document_gets_its_dead_letter_and_the_next_ones_pass(world: World) -> None:
    """The default: what waited is called with once more and dead-lettered, in order; when the function works
    again, documents pass without anybody's help."""
    story = Story(world, "onError")
    story.begin()
    until(story.is_through, 60, "dead letters after the hold")
    letters = world.read(story.dead)
    assert [letter.json["id"] for letter in letters] == list(range(BEFORE, AFTER))
    for letter in letters:
        found = letter.why["errInfo"]
        assert (found["class"], found["scope"]) == ("ResourceNotFoundException", "function")
    world.start_stub(f=ECHO)
    world.produce(story.source, documents(AFTER, AFTER + 10))
    until(story.is_through, 60, "documents after the function came back")
    assert ids_in(world, story.results) == [*range(BEFORE), *range(AFTER, AFTER + 10)]
    assert world.count(story.dead) == AFTER - BEFORE


@pytest.mark.kafka
def test_after_fail_the_processor_stops_and_nothing_is_passed_over(world: World) -> None:
    """FAILED, no dead letter, nothing committed past the first document that waited: a later start, with the
    function there again, brings all of them."""
    story = Story(world, "fail", restartWindow="0s")
    worker = story.begin()
    until(lambda: worker.status("p").get("state") == "FAILED", 60, "FAILED")
    assert world.lag(group_of(story.source), story.source) == AFTER - BEFORE
    assert world.count(story.dead) == 0
    assert "ResourceNotFoundException" in str(worker.status("p"))
    worker.terminate()
    worker.wait()
    world.start_stub(f=ECHO)
    world.ready_worker(story.app)
    until(story.is_through, 60, "the documents that waited")
    assert ids_in(world, story.results) == list(range(AFTER))
    assert world.count(story.dead) == 0


@pytest.mark.kafka
def test_after_wait_documents_wait_as_long_as_it_takes(world: World) -> None:
    """Long after `hold.timeout` the processor still runs and nothing was given up; then all of them pass."""
    story = Story(world, "wait")
    worker = story.begin()
    long = samples_until(worker, lambda now: now.sum("penstock_hold_seconds_total") > 3 * TIMEOUT_SECONDS)
    until(long, 60, "a hold of three times its timeout")
    assert worker.status("p")["state"] == "STARTED"
    assert world.count(story.dead) == 0
    assert world.lag(group_of(story.source), story.source) == AFTER - BEFORE
    world.start_stub(f=ECHO)
    until(story.is_through, 90, "the documents that waited")
    assert ids_in(world, story.results) == list(range(AFTER))
    assert world.count(story.dead) == 0
