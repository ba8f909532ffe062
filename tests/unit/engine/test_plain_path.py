"""A pipeline without calls: what becomes of each record, and that nothing is committed before its ack."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.engine.rig import DEAD, FIRST, PLAIN_SINK, RESULTS, Rig, plain_program, running
from topics.headers import DEAD_LETTER
from workers.model import Headers
from workers.pipeline import compile_stages
from workers.pipeline.program import Program

HEADERS: Headers = [("trace", b"1"), ("trace", None), ("other", b"")]


async def test_good_records_come_out_in_order_and_are_committed() -> None:
    """Values are written in source order with the source's key and timestamp; the offset follows."""
    async with running(plain_program()) as rig:
        for n in range(35):
            rig.give({"id": n}, key=b"k%d" % n, timestamp_ms=1_000 + n)
        await rig.all_committed(35)
        assert rig.ids() == list(range(35))
        first = rig.producer.written[0]
        assert (first.key(), first.headers(), first.timestamp()[1]) == (b"k0", None, 1_000)


async def test_headers_are_kept_as_they_came() -> None:
    """Order, duplicates and nulls of headers pass through."""
    async with running(plain_program()) as rig:
        rig.give({"id": 1}, headers=HEADERS)
        await rig.all_committed(1)
        assert rig.producer.written[0].headers() == HEADERS


async def test_dropped_records_are_committed_without_output() -> None:
    """A filtered record settles by itself; counts say dropped."""
    async with running(plain_program()) as rig:
        rig.give({"id": 1, "do": "drop"}, {"id": 2}, {"id": 3, "do": "drop"})
        await rig.all_committed(3)
        assert rig.ids() == [2]
        assert rig.processor.status().dropped == 2
        assert rig.processor.status().emitted == 1


async def test_a_refused_record_is_dead_lettered_with_its_original() -> None:
    """Key, value and headers are the source's, and one more header says why."""
    async with running(plain_program()) as rig:
        doc = {"id": 1, "do": "refuse"}
        rig.give(doc, key=b"k", headers=HEADERS)
        await rig.all_committed(1)
        (letter,) = [record for record in rig.producer.written if record.topic() == DEAD]
        assert letter.key() == b"k"
        assert letter.value() == json.dumps(doc).encode()
        headers = letter.headers() or []
        assert headers[:-1] == HEADERS
        assert headers[-1][0] == DEAD_LETTER.name
        assert rig.letters()[0]["operatorName"] == "$project"


@pytest.mark.parametrize("value", [b"{", b"", b"\xff\xfe", b"[1]", b"1", b"[" * 200, b'{"$date":"x"}'])
async def test_poison_is_dead_lettered_and_the_next_record_goes_on(value: bytes) -> None:
    """What is no document never stops a partition."""
    async with running(plain_program()) as rig:
        rig.give(value, {"id": 2})
        await rig.all_committed(2)
        assert rig.ids() == [2]
        assert rig.letters()[0]["errInfo"]["class"].startswith("Poison(")
        assert rig.processor.status().dead_lettered == 1


async def test_a_result_that_is_no_json_is_dead_lettered() -> None:
    """An integer beyond 64 bits cannot be written."""
    async with running(plain_program()) as rig:
        rig.give({"id": 1, "do": "nan"}, {"id": 2})
        await rig.all_committed(2)
        assert rig.ids() == [2]
        assert rig.letters()[0]["errInfo"]["class"] == "NotEncodable"


@pytest.mark.parametrize(("rule", "results", "dead"), [("pass", 1, 0), ("drop", 0, 0), ("dlq", 0, 1)])
async def test_tombstones_follow_their_option(rule: str, results: int, dead: int) -> None:
    """pass: null value, same key and headers; drop: nothing; dlq: a dead letter."""
    async with running(plain_program(), settings={"tombstones": rule}) as rig:
        rig.give(None, key=b"k", headers=HEADERS)
        await rig.all_committed(1)
        assert len(rig.producer.values(RESULTS)) == results
        assert len(rig.letters()) == dead
        if results:
            record = rig.producer.written[0]
            assert (record.value(), record.key(), record.headers()) == (None, b"k", HEADERS)


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_one_document_may_become_several(count: int) -> None:
    """They come out in order; none is as if the record had been filtered out."""
    async with running(plain_program()) as rig:
        rig.give({"id": "a", "do": "many", "count": count}, {"id": "b"})
        await rig.all_committed(2)
        assert rig.ids() == [*(f"a.{n}" for n in range(count)), "b"]


async def test_nothing_is_committed_before_its_ack() -> None:
    """The frontier stays below a record whose output is not acked, and follows each slice."""
    async with running(plain_program()) as rig:
        rig.producer.hold()
        rig.give(*({"id": n} for n in range(30)))
        await rig.until(lambda: rig.producer.outstanding() == 30)
        await rig.rest()
        assert rig.committed() == 0
        rig.producer.release(25)
        await rig.all_committed(20)
        await rig.rest()
        assert rig.committed() <= 25
        rig.producer.release()
        await rig.all_committed(30)


async def test_counts_only_grow() -> None:
    """A status taken while a slice is half done shows no count that falls later, and metrics take it."""
    async with running(plain_program()) as rig:
        rig.producer.hold()
        rig.give(*({"id": n} | ({"do": "drop"} if n % 2 else {}) for n in range(10)))
        await rig.until(lambda: rig.producer.outstanding() == 5)
        seen = rig.processor.status()
        assert seen.emitted == 0
        rig.producer.release()
        await rig.all_committed(10)
        assert (rig.processor.status().emitted, rig.processor.status().dropped) == (5, 5)


@pytest.mark.parametrize("headers", [None, HEADERS])
async def test_a_full_producer_holds_records_back_in_order(headers: Headers | None) -> None:
    """What the queue has no room for waits and leaves in order; nothing is lost or doubled."""
    async with running(plain_program(), capacity=3) as rig:
        rig.give(*({"id": n} for n in range(40)), headers=headers)
        await rig.all_committed(40)
        assert rig.ids() == list(range(40))


def _dead_letters(rig: Rig) -> list[Any]:
    return [record for record in rig.producer.written if record.topic() == DEAD]


@pytest.mark.parametrize("where", ["the producer", "the broker"])
async def test_a_result_too_large_is_dead_lettered_once(where: str) -> None:
    """Whoever refuses it, the record becomes one dead letter and its neighbours pass."""
    async with running(plain_program()) as rig:
        if where == "the producer":
            rig.producer.max_request_bytes = 500
        else:
            rig.producer.max_topic_bytes[RESULTS] = 500
        rig.give({"id": 1}, {"id": 2, "do": "grow", "size": 600}, {"id": 3})
        await rig.all_committed(3)
        await rig.rest()
        assert rig.ids() == [1, 3]
        assert [letter["errInfo"]["class"] for letter in rig.letters()] == ["ResultTooLarge"]
        assert _dead_letters(rig)[0].value() == b'{"id": 2, "do": "grow", "size": 600}'


@pytest.mark.parametrize("headers", [None, HEADERS])
async def test_what_is_sent_by_itself_is_not_overtaken(headers: Headers | None) -> None:
    """A broker refuses a batch for one large record: its neighbours are sent by themselves, and what follows
    waits until they are written."""
    async with running(plain_program(), capacity=6) as rig:
        rig.producer.in_bad_batch = {b'{"id":0}', b'{"id":1}', b'{"id":2}'}
        rig.producer.max_topic_bytes[RESULTS] = 500
        docs: list[dict[str, Any]] = [{"id": n} for n in range(30)]
        docs[1] = {"id": 1, "do": "grow", "size": 600}
        rig.give(*docs, headers=headers)
        await rig.all_committed(30)
        assert rig.ids()[-24:] == list(range(6, 30)), "of what was under way already nobody knows the order"
        in_hand = [n for n in rig.ids() if n in (0, 2)]
        assert in_hand == [0, 2]
        assert len(rig.letters()) == 1


@pytest.mark.parametrize(("where", "acks"), [("the producer", 5), ("the broker", 7)])
async def test_of_several_documents_that_are_too_large_the_record_still_settles_last(
    where: str, acks: int
) -> None:
    """A record with several results settles when each is written or dead-lettered, not before."""
    async with running(plain_program()) as rig:
        if where == "the producer":
            rig.producer.max_request_bytes = 9
        else:
            rig.producer.max_topic_bytes[RESULTS] = 9
            rig.producer.max_topic_bytes[DEAD] = 1_000
        rig.producer.hold()
        rig.give({"id": 0}, {"id": "long", "do": "many", "count": 2}, {"id": 2}, {"id": 3})
        for acked in range(acks - 1):
            await rig.until(lambda: rig.producer.outstanding() > 0)
            rig.producer.release(1)
            await rig.rest()
            assert rig.committed() == 0, f"committed after {acked + 1} acks of a slice that is not done"
        rig.producer.max_request_bytes = 1_000
        rig.producer.release()
        await rig.all_committed(4)


@pytest.mark.parametrize("where", ["the producer", "the broker"])
async def test_a_dead_letter_too_large_is_written_without_its_content(where: str) -> None:
    """Null value, `truncated`, coordinates: the partition goes on."""
    async with running(plain_program()) as rig:
        if where == "the producer":
            rig.producer.max_request_bytes = 500
        else:
            rig.producer.max_topic_bytes[DEAD] = 500
        rig.give({"id": 1, "do": "refuse", "pad": "x" * 600}, {"id": 2})
        await rig.all_committed(2)
        assert rig.producer.values(DEAD) == [None]
        (letter,) = rig.letters()
        assert letter["truncated"] is True
        assert letter["_stream_meta"]["source"]["offset"] == 0


@pytest.mark.parametrize("where", ["the producer", "the broker"])
async def test_a_topic_that_refuses_even_that_is_asked_again(where: str) -> None:
    """With a wait in between, until somebody mends it; nothing is committed past the record meanwhile."""
    async with running(plain_program()) as rig:
        rig.producer.max_request_bytes = 500 if where == "the producer" else 10_000
        rig.producer.max_topic_bytes[DEAD] = -1
        rig.give({"id": 1, "do": "refuse", "pad": "x" * 600}, {"id": 2})
        await rig.until(lambda: rig.processor.tally.produce_failures["retried"] > 0)
        await rig.rest()
        assert rig.committed() == 0
        assert rig.processor.tally.produce_failures.total() < 10
        rig.producer.max_topic_bytes.clear()
        await rig.all_committed(2)
        assert len(rig.letters()) == 1


@pytest.mark.parametrize("timestamp_ms", [1_700_000_000_000, 0])
async def test_results_that_come_back_are_sent_again_in_order(timestamp_ms: int) -> None:
    """A topic without permission takes nothing; once it does, each result is there once and in order."""
    async with running(plain_program()) as rig:
        rig.producer.denied.add(RESULTS)
        for n in range(25):
            rig.give({"id": n % 3, "n": n}, key=b"same", timestamp_ms=timestamp_ms)
        await rig.until(lambda: rig.processor.tally.produce_failures["retried"] > 0)
        assert rig.committed() == 0
        rig.producer.denied.clear()
        await rig.all_committed(25)
        assert [doc["n"] for doc in rig.results()] == list(range(25))


async def test_an_unwritable_dead_letter_topic_holds_the_offset() -> None:
    """Nothing is committed past a record whose dead letter is not written; once it can be, all goes on."""
    async with running(plain_program()) as rig:
        rig.producer.denied.add(DEAD)
        rig.give({"id": 1, "do": "refuse"}, {"id": 2})
        await rig.until(lambda: rig.processor.tally.produce_failures["retried"] > 0)
        await rig.rest()
        assert rig.committed() == 0
        rig.producer.denied.clear()
        await rig.all_committed(2)
        assert len(rig.letters()) == 1


async def test_a_fatal_producer_error_replaces_the_client_and_sends_all_again_in_order() -> None:
    """Each unacked record is written once by the new client, in source order."""
    async with running(plain_program()) as rig:
        rig.producer.hold()
        rig.give(*({"id": n} for n in range(20)))
        await rig.until(lambda: rig.producer.outstanding() == 20)
        rig.producer.release(7)
        await rig.rest()
        rig.producer.break_down()
        rig.producer.release()
        await rig.all_committed(20)
        assert rig.producer.replaced == 1
        assert rig.ids() == list(range(20))


async def test_what_waited_for_room_does_not_overtake_what_came_back() -> None:
    """The queue was full, then the client broke: the order stays that of the source."""
    async with running(plain_program(), capacity=4) as rig:
        rig.producer.hold()
        rig.give(*({"id": n} for n in range(10)))
        await rig.until(lambda: rig.producer.outstanding() == 4)
        await rig.rest()
        rig.producer.break_down()
        rig.producer.release()
        await rig.all_committed(10)
        assert rig.ids() == list(range(10))


async def test_holes_at_the_end_are_committed_too() -> None:
    """After the last record the committed offset follows the end of the partition, markers included."""
    async with running(plain_program()) as rig:
        rig.give({"id": 1}, {"id": 2})
        rig.cluster.leave_hole(FIRST, 3)
        await rig.all_committed(5)
        assert rig.source.status().lag[FIRST] == 0


async def test_a_pipeline_that_only_filters_passes_bytes_on_as_they_came() -> None:
    """White space and the spelling of numbers stay; a type wrapper is written in the relaxed form."""
    segments = compile_stages([{"$match": {"id": {"$lt": 5}}}]).segments
    async with running(Program(None, segments, (), PLAIN_SINK)) as rig:
        rig.give(b'{"id": 1,  "x": 1e2}', b'{"id":2,"at":{"$date":0}}', b'{"id":9}', b"no", {"id": 3})
        await rig.all_committed(5)
        assert rig.producer.values(RESULTS) == [
            b'{"id": 1,  "x": 1e2}',
            b'{"id":2,"at":{"$date":"1970-01-01T00:00:00Z"}}',
            b'{"id": 3}',
        ]
        assert rig.processor.status().dropped == 1
        assert rig.processor.status().dead_lettered == 1


async def test_a_document_that_was_changed_is_written_anew() -> None:
    """Also where what was set is what was there already."""
    segments = compile_stages([{"$match": {}}, {"$set": {"id": 1}}]).segments
    async with running(Program(None, segments, (), PLAIN_SINK)) as rig:
        rig.give(b'{"id": 1,  "x": 1e2}')
        await rig.all_committed(1)
        assert rig.producer.values(RESULTS) == [b'{"id":1,"x":100.0}']


async def test_a_client_that_breaks_under_a_partition_that_left_is_replaced() -> None:
    """The broken client tells of one record only, and nobody waits for that one any more: what the partition
    sent since it is back must not wait for ever behind it."""
    async with running(plain_program()) as rig:
        rig.producer.hold()
        rig.give({"id": 1})
        await rig.until(lambda: rig.producer.outstanding() == 1)
        rig.source.lose([FIRST])
        rig.source.assign([FIRST])
        await rig.until(lambda: rig.producer.outstanding() == 2)
        rig.producer.break_down()
        rig.producer.release()
        await rig.all_committed(1)
        assert rig.producer.replaced == 1
        assert rig.ids() == [1]
