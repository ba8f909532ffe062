"""Options of `$source` and `$emit` on a real broker: what is read out of keys and times, what is written."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from tests.scenarios.stories import group_of
from tests.scenarios.world import World, until

MOMENT = "2025-01-10T20:17:38.387Z"


def processor(
    topics: list[str], dead: str, source: dict[str, Any], stages: list[Any], emit: dict[str, Any]
) -> Any:
    """A processor whose group is that of its first topic."""
    config = {"auto_offset_reset": "earliest", "group_id": group_of(topics[0]), **source.pop("config", {})}
    ends = {"connectionName": "kafka"}
    pipeline = [
        {"$source": {**ends, "topic": topics, "config": config, **source}},
        *stages,
        {"$emit": {**ends, **emit}},
    ]
    return {"pipeline": pipeline, "options": {"dlq": {"connectionName": "kafka", "topic": dead}}}


@pytest.mark.kafka
def test_keys_and_times_are_read_and_written_in_their_formats(world: World) -> None:
    """Two topics in, long keys and times of the documents read; out go int keys, canonical values with dates
    as text, typed headers and tombstones, by a client of the sink's own. What cannot be read or written is
    dead-lettered with the record as it came."""
    first, second, results, dead = (world.topic(name) for name in ("first", "second", "out", "dead"))
    meta = {"key": {"$meta": "stream.source.key"}, "ts": {"$meta": "stream.source.ts"}}
    emit = {
        "topic": results,
        "config": {
            "key": "$id", "keyFormat": "int", "outputFormat": "canonicalJson", "dateFormat": "ISO8601",
            "headers": {"from": {"$meta": "stream.source.topic"}, "key": "$key", "id": "$id"},
            "tombstoneWhen": {"$eq": ["$op", "delete"]}, "acks": 1, "compression_type": "zstd",
        },
    }  # fmt: skip
    source = {"config": {"keyFormat": "long"}, "timeField": {"$toDate": "$at"}}
    app = world.write_app(
        world.connections(), {"p": processor([first, second], dead, source, [{"$set": meta}], emit)}
    )
    documents: dict[str, list[Any]] = {
        first: [{"id": 1, "at": MOMENT}, {"id": 2, "at": MOMENT, "op": "delete"}, {"id": 3, "at": "never"}],
        second: [{"id": 4, "at": MOMENT}, {"id": "five", "at": MOMENT}],
    }
    for topic, values in documents.items():
        world.produce(topic, values, key=lambda _: struct.pack(">q", 2**40))
    world.produce(second, [{"id": 6, "at": MOMENT}], key=lambda _: b"bad")
    worker = world.ready_worker(app)
    group = group_of(first)
    until(lambda: world.lag(group, first) + world.lag(group, second) == 0, 30, "lag 0")

    written = {record.key: record for record in world.read(results)}
    assert set(written) == {struct.pack(">i", number) for number in (1, 2, 4)}
    record = written[struct.pack(">i", 1)]
    assert record.json == {
        "id": {"$numberInt": "1"}, "at": MOMENT, "key": {"$numberLong": str(2**40)}, "ts": MOMENT,
    }  # fmt: skip
    assert record.headers == [
        ("from", first.encode()), ("key", struct.pack(">q", 2**40)), ("id", struct.pack(">i", 1)),
    ]  # fmt: skip
    assert written[struct.pack(">i", 2)].value is None
    assert dict(written[struct.pack(">i", 4)].headers)["from"] == second.encode()
    letters = {letter.json["id"]: letter for letter in world.read(dead)}
    classes = {number: letter.why["errInfo"]["class"] for number, letter in letters.items()}
    assert classes == {3: "TimeField", "five": "record", 6: "KeyFormat"}
    assert letters[6].key == b"bad"
    assert letters["five"].why["errInfo"]["path"] == "pipeline[2].$emit.config.key"
    clients = [line for line in worker.get("/metrics")[1].splitlines() if "producer_outstanding" in line]
    assert any('connection="kafka (acks=1, compression.type=zstd)"' in line for line in clients), clients


@pytest.mark.kafka
def test_a_topic_by_expression_is_made_when_it_is_first_named(world: World) -> None:
    """Each document goes where it says, by the broker's automatic creation; a name that is none and a name
    that is not there are dead-lettered, and the next document goes on."""
    source, dead = world.topic("in"), world.topic("dead")
    vip, staff = world.new_name("vip"), world.new_name("staff")
    stages: list[Any] = []
    emit = {"topic": "$to", "config": {"outputFormat": "basicJson"}}
    app = world.write_app(world.connections(), {"p": processor([source], dead, {}, stages, emit)})
    names: list[Any] = [vip, "no topic!", staff, None, "..", vip]
    world.produce(
        source,
        [{"n": n, "to": name, "at": {"$date": MOMENT}} for n, name in enumerate(names)],
        key=lambda _: b"k",
    )
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")

    at = 1_736_540_258_387
    assert [record.json for record in world.read(vip)] == [
        {"n": 0, "to": vip, "at": at},
        {"n": 5, "to": vip, "at": at},
    ]
    (only,) = world.read(staff)
    assert (only.key, only.json["n"]) == (b"k", 2)
    letters = world.read(dead)
    assert [letter.json["n"] for letter in letters] == [1, 3, 4]
    assert {letter.why["errInfo"]["path"] for letter in letters} == {"pipeline[1].$emit.topic"}
