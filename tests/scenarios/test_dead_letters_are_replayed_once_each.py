"""`penstock dlq replay`: refused records through a mended function, whatever happens to the tool."""

from __future__ import annotations

import os
import signal

import pytest
from confluent_kafka import TopicPartition

from tests.scenarios.letter_tools import run_dlq, start_dlq
from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until

THROWS = {"outcome": "function_error", "error_type": "ValueError", "message": "not mended yet"}
MENDED = {"outcome": "static", "body": '{"ok":true}'}
COUNT = 10_000


@pytest.mark.kafka
def test_a_killed_replay_goes_on_and_adds_nothing(world: World) -> None:
    """10,000 dead letters, a replay killed in the middle, and two more: each record is in the results once,
    as it was; the source topic, which others read, has nothing new."""
    world.start_stub(f=THROWS)
    source, results, dead = world.topic("in", 4), world.topic("out", 4), world.topic("dead", 4)
    name = world.new_name("p")
    call = {"as": "answer", "parallelism": 256}
    app = world.write_app(world.connections(), {name: calling(world, source, results, dead, call)})
    docs = [{"id": number} for number in range(COUNT)]
    trace: list[tuple[str, bytes | None]] = [("trace", b"1"), ("trace", None)]
    world.produce(source, docs, key=lambda doc: b"k%d" % doc["id"], headers=trace)
    world.ready_worker(app)
    until(lambda: world.count(dead) >= COUNT, 60, "all dead-lettered")
    world.start_stub(f=MENDED)

    ledger, queue = f"{dead}.replayed", f"{name}.replay"
    with start_dlq(app, "replay", name, "--rate", "500/s") as killed:
        until(lambda: queue in world.admin().list_topics(timeout=60).topics, 20, "a replay topic")
        until(lambda: world.count(ledger) > 1_000, 20, "a replay in the middle")
        os.kill(killed.pid, signal.SIGKILL)
    written = len(world.read(ledger))
    assert 1_000 <= written < COUNT
    assert len(world.read(queue)) == written

    second = run_dlq(app, "replay", name)
    assert (second["matched"], second["alreadyReplayed"]) == (COUNT, written)
    assert second["written"] == COUNT - written
    third = run_dlq(app, "replay", name)
    assert (third["alreadyReplayed"], third["written"]) == (COUNT, 0)
    until(lambda: world.lag(group_of(source), queue) == 0, 60, "the replay topic is read")

    seen = world.read(results)
    assert sorted(record.json["id"] for record in seen) == list(range(COUNT))
    origin = {record.json["id"]: record for record in world.read(source)}
    assert len(origin) == COUNT
    for record in seen:
        first = origin[record.json["id"]]
        assert (record.key, record.headers) == (first.key, first.headers)
        assert record.timestamp_ms == first.timestamp_ms
    assert world.count(dead) == COUNT


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["consumer", "classic"])
@pytest.mark.parametrize("form", ["header", "document"])
def test_a_record_that_fails_again_can_be_replayed_again(world: World, protocol: str, form: str) -> None:
    """Its new dead letter names the source's record, and that it was replayed; a replay takes that one and
    passes over the first. The replay topic is read from its beginning though the source is from its end."""
    world.start_stub(f=THROWS)
    world.kafka_extra = {"groupProtocol": protocol}
    source, results, dead = world.topic("in", 2), world.topic("out"), world.topic("dead")
    name = world.new_name("p")
    story = calling(world, source, results, dead, {"as": "answer"})
    story["options"]["dlq"]["format"] = form
    story["pipeline"][0]["$source"]["config"]["auto_offset_reset"] = "latest"
    app = world.write_app(world.connections(), {name: story})
    worker = world.ready_worker(app)
    until(lambda: worker.status(name), 20, "an assignment")
    until(lambda: len(worker.log().split("partitions_assigned")) > 1, 20, "an assignment")
    headers: list[tuple[str, bytes | None]] = [("a", b"1"), ("b", None), ("a", b"\xff")]
    world.produce(source, [{"id": 1}, b'{ "id" : 2 }'], headers=headers, partition=1)
    until(lambda: world.count(dead) == 2, 30, "dead letters")

    assert run_dlq(app, "replay", name)["written"] == 2
    until(lambda: world.count(dead) == 4, 60, "dead letters of the replay")
    again = run_dlq(app, "show", name, "--where", "{'_stream_meta.replays': 1}")
    assert [letter["_stream_meta"]["source"]["offset"] for letter in again] == [0, 1]
    assert {letter["_stream_meta"]["source"]["topic"] for letter in again} == {source}
    assert [letter["value"]["text"] for letter in again] == ['{"id":1}', '{ "id" : 2 }']
    assert [header["k"] for header in again[0]["headers"]] == ["a", "b", "a"]

    world.start_stub(f=MENDED)
    second = run_dlq(app, "replay", name)
    assert (second["matched"], second["alreadyReplayed"], second["written"]) == (4, 2, 2)
    until(lambda: world.count(results) == 2, 30, "results")
    assert [record.json["id"] for record in world.read(results)] == [1, 2]
    assert world.read(results)[0].headers == headers
    assert world.count(source) == 2


@pytest.mark.kafka
def test_what_a_letter_does_not_hold_comes_from_the_source(world: World) -> None:
    """A letter without content, because its topic took no more, is replayed with the source's record while
    that is there; afterwards it is reported, with exit code 1, and the others are replayed all the same."""
    source, results = world.topic("in"), world.topic("out")
    dead = world.topic("dead", max_message_bytes="12000")
    name = world.new_name("p")
    stage = {"$replaceRoot": {"newRoot": "$inner"}}
    story = calling(world, source, results, dead, {})
    story["pipeline"][1] = stage
    app = world.write_app(world.connections(), {name: story})
    large = os.urandom(20_000).hex()
    world.produce(source, [{"inner": large}, {"inner": "small"}, {"inner": large}])
    world.ready_worker(app)
    until(lambda: world.count(dead) == 3, 30, "dead letters")
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")
    only_first = "{'_stream_meta.source.offset': 0}"
    assert run_dlq(app, "replay", name, "--where", only_first)["written"] == 1
    replayed = world.read(f"{name}.replay")[0]
    assert replayed.json == {"inner": large}
    assert replayed.headers[-2:] == [
        ("penstock-record-id", f"{source}/0/0".encode()), ("penstock-replays", b"1"),
    ]  # fmt: skip

    for deleted in world.admin().delete_records([TopicPartition(source, 0, 3)]).values():
        deleted.result(60)
    report = run_dlq(app, "replay", name, "--where", "{'_stream_meta.replays': {$exists: false}}", code=1)
    assert (report["alreadyReplayed"], report["written"]) == (1, 1)
    assert [line.partition(":")[2].strip() for line in report["notReplayable"]] == [
        f"2: it holds no value, and its source has {source} 0:2 no more"
    ]
