"""Options of `$source` and `$emit` through the engine: which record is refused, what the others are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.engine.rig import RESULTS, Rig, running
from workers.pipeline import compile_processor
from workers.pipeline.program import Program

CALL: dict[str, Any] = {
    "$externalFunction": {"connectionName": "aws", "functionName": "f", "as": "answer", "parallelism": 1}
}
KEY_OF_META: dict[str, Any] = {"$set": {"key": {"$meta": "stream.source.key"}}}


def program(
    source: Mapping[str, Any], *stages: dict[str, Any], emit: Mapping[str, Any] | None = None
) -> Program:
    """A processor with these ends."""
    first = {"$source": {"connectionName": "kafka", "topic": "in", **source}}
    return compile_processor(
        [first, *stages, {"$emit": {"connectionName": "kafka", "topic": RESULTS, **(emit or {})}}]
    )


def reasons(rig: Rig) -> list[str]:
    """The classes of all dead letters."""
    return [letter["errInfo"]["class"] for letter in rig.letters()]


@pytest.mark.parametrize("stages", [[], [CALL]], ids=["plain", "with a call"])
async def test_a_bad_key_is_dead_lettered_before_any_stage(stages: list[dict[str, Any]]) -> None:
    """Its document reaches no stage and no function; the records around it go on, each with its own key."""
    source = {"config": {"keyFormat": "int"}}
    async with running(program(source, KEY_OF_META, *stages)) as rig:
        rig.give({"id": 1}, key=b"\0\0\0\1")
        rig.give({"id": 2}, key=b"bad")
        rig.give(None, key=b"bad")
        rig.give(b"{", key=b"bad")
        rig.give({"id": 3})
        rig.give(None, key=b"\0\0\0\2")
        rig.give({"id": 4}, key=b"\0\0\0\4")
        await rig.all_committed(7)
        seen = [(doc["id"], doc["key"]) if doc else None for doc in rig.results()]
        assert seen == [(1, 1), (3, None), None, (4, 4)]
        assert reasons(rig) == ["KeyFormat", "KeyFormat", "Poison(not-json)"]
        assert [body["id"] for body in rig.invoked()] == ([1, 3, 4] if stages else [])
        letter = rig.letters()[0]
        assert (letter["operatorName"], letter["doc"]) == ("$source", {"id": 2})


async def test_a_key_keeps_its_bytes_on_the_way_out() -> None:
    """keyFormat is for reading: what is written without a key of its own is what came."""
    async with running(program({"config": {"keyFormat": "json"}})) as rig:
        rig.give({"id": 1}, key=b' {"a" : 1} ')
        await rig.all_committed(1)
        assert rig.producer.written[0].key() == b' {"a" : 1} '


async def test_a_time_that_cannot_be_read_is_dead_lettered() -> None:
    """The others have their field's time in meta and in the document; the record keeps Kafka's."""
    source = {"timeField": {"$toDate": "$t"}, "tsFieldName": "_ts"}
    async with running(program(source)) as rig:
        rig.give({"t": "2024-10-24T18:07:29.636Z"}, {"t": "never"}, None, timestamp_ms=1_000)
        await rig.all_committed(3)
        assert rig.results() == [
            {"t": "2024-10-24T18:07:29.636Z", "_ts": {"$date": "2024-10-24T18:07:29.636Z"}},
            None,
        ]
        assert reasons(rig) == ["TimeField"]
        assert {record.timestamp()[1] for record in rig.producer.written} == {1_000}


async def test_a_tombstone_replaces_its_document() -> None:
    """Under the key of the expression; what is no boolean is dead-lettered."""
    emit = {"config": {"key": "$id", "keyFormat": "int", "tombstoneWhen": "$gone"}}
    async with running(program({}, emit=emit)) as rig:
        rig.give({"id": 1, "gone": False}, {"id": 2, "gone": True}, {"id": 3, "gone": 1}, {"id": 4})
        await rig.all_committed(4)
        written = [
            (record.key(), record.value()) for record in rig.producer.written if record.topic() == RESULTS
        ]
        assert written == [(b"\0\0\0\1", b'{"id":1,"gone":false}'), (b"\0\0\0\2", None)]
        assert reasons(rig) == ["record", "record"]


@pytest.mark.parametrize("stages", [[], [CALL]], ids=["without calls", "with a call"])
async def test_topics_by_expression_are_bounded(stages: list[dict[str, Any]]) -> None:
    """A new topic beyond the bound is dead-lettered; those that were named before go on."""
    emitting = program({}, *stages, emit={"topic": "$to"})
    async with running(emitting, settings={"max_dynamic_topics": 2}) as rig:
        for number, topic in enumerate(["a", "b", "c", "a", "d", "b"]):
            rig.give({"id": number, "to": topic})
        await rig.all_committed(6)
        assert [rig.ids(topic) for topic in "abcd"] == [[0, 3], [1, 5], [], []]
        assert reasons(rig) == ["TooManyTopics", "TooManyTopics"]
        letter = rig.letters()[0]
        assert letter["errInfo"]["path"].endswith("$emit.topic")
        assert letter["doc"]["to"] == "c"


async def test_a_static_topic_has_no_bound() -> None:
    """It is one."""
    emitting = program({}, emit={"key": "$id", "keyFormat": "int"})
    async with running(emitting, settings={"max_dynamic_topics": 0}) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        assert rig.ids() == [1]


async def test_a_topic_that_a_document_named_and_nobody_has_is_dead_lettered() -> None:
    """One document cannot hold the others; its dead letter waits for the topic."""
    async with running(program({}, emit={"topic": "$to"})) as rig:
        rig.producer.absent.add("gone")
        rig.give({"id": 1, "to": "a"}, {"id": 2, "to": "gone"}, {"id": 3, "to": "a"})
        await rig.all_committed(3)
        assert rig.ids("a") == [1, 3]
        assert reasons(rig) == ["NoTopic"]
        assert rig.processor.tally.produce_failures == {"no_topic": 1}


async def test_a_static_topic_that_nobody_has_is_waited_for() -> None:
    """It is the operator's mistake, not a document's: nothing is dead-lettered, nothing committed."""
    async with running(program({}, emit={"key": "$id", "keyFormat": "int"})) as rig:
        rig.producer.absent.add(RESULTS)
        rig.give({"id": 1})
        await rig.until(lambda: rig.processor.tally.produce_failures["retried"] > 0)
        assert rig.committed() == 0
        rig.producer.absent.clear()
        await rig.all_committed(1)
        assert rig.ids() == [1]
        assert rig.letters() == []
