"""A pipeline with calls: outcomes of a call, order of results, bounds."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.fakes.lambda_behaviour import Behaviour, Fate
from tests.unit.engine.rig import (
    DEAD,
    FIRST,
    RESULTS,
    Rig,
    calling_program,
    renaming_sink,
    running,
    segment,
    site,
)
from workers.model import Document, Many, Meta, Refused
from workers.pipeline.program import Program
from workers.progress.room import RoomLimits


def _slow_first(count: int) -> Behaviour:
    """Ids answer the later the lower they are."""
    return Behaviour(
        id_field="id",
        fates=tuple(Fate(1.0 / count, Behaviour(latency_ms=10.0 * n)) for n in range(count)),
    )


async def test_results_leave_in_source_order_whatever_the_order_of_answers() -> None:
    """Answers come in a shuffled order, results do not."""
    async with running(calling_program(site(parallelism=30))) as rig:
        rig.invoker.program("f", _slow_first(7))
        rig.give(*({"id": n} for n in range(60)))
        await rig.all_committed(60)
        assert rig.ids() == list(range(60))


async def test_the_answer_is_set_on_the_document() -> None:
    """`as` holds the parsed answer; the request is the document."""
    async with running(calling_program(site())) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        assert rig.results() == [{"id": 1, "answer": {"id": 1}}]
        assert rig.invoked() == [{"id": 1}]


@pytest.mark.parametrize(
    ("behaviour", "answer"),
    [
        (Behaviour(outcome="static", body="null"), {"answer": None}),
        (Behaviour(outcome="static", body="[1,2]"), {"answer": [1, 2]}),
        (Behaviour(outcome="empty"), {}),
        (Behaviour(outcome="not_json"), None),
    ],
)
async def test_kinds_of_answers(behaviour: Behaviour, answer: dict[str, Any] | None) -> None:
    """JSON is parsed, 0 bytes set nothing, all else is a string."""
    async with running(calling_program(site())) as rig:
        rig.invoker.program("f", behaviour)
        rig.give({"id": 1})
        await rig.all_committed(1)
        (result,) = rig.results()
        if answer is None:
            assert isinstance(result["answer"], str)
        else:
            assert result == {"id": 1, **answer}


async def test_the_envelope_is_the_whole_answer() -> None:
    """`response: envelope` sets StatusCode, ExecutedVersion and Payload."""
    async with running(calling_program(site(response="envelope"))) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        assert rig.results() == [
            {"id": 1, "answer": {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": {"id": 1}}}
        ]


async def test_parallelism_is_never_exceeded() -> None:
    """At most so many calls are open, and all places are used while there is work."""
    async with running(calling_program(site(parallelism=3))) as rig:
        rig.invoker.program("f", Behaviour(latency_ms=5))
        rig.give(*({"id": n} for n in range(50)))
        await rig.all_committed(50)
        assert rig.invoker.function("f").max_running == 3


async def test_async_documents_pass_on_unchanged() -> None:
    """An accepted Event sets nothing; there is no client context, which Event calls do not carry."""
    async with running(calling_program(site(execution="async", set_result=None))) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        assert rig.results() == [{"id": 1}]
        (request,) = rig.invoker.requests
        assert (request.invocation_type, request.client_context) == ("Event", None)


async def test_a_sync_call_names_its_record_site_and_attempt() -> None:
    """Retries carry the same id and the next attempt."""
    async with running(calling_program(site())) as rig:
        rig.invoker.program("f", Behaviour(outcome="error", status=500, times=2))
        rig.give({"id": 1})
        await rig.all_committed(1)
        contexts = [
            json.loads(base64.b64decode(request.client_context or ""))["penstock"]
            for request in rig.invoker.requests
        ]
        assert [context["attempt"] for context in contexts] == [1, 2, 3]
        assert {context["id"] for context in contexts} == {"in/0/0"}
        assert {context["site"] for context in contexts} == {site().path}


async def test_attempts_are_bounded() -> None:
    """A function service that keeps failing is asked `maxAttempts` times, then the document is refused."""
    async with running(calling_program(site())) as rig:
        rig.invoker.program("f", Behaviour(outcome="error", status=503))
        rig.give({"id": 1})
        await rig.all_committed(1)
        assert rig.invoker.function("f").calls == 3
        (letter,) = rig.letters()
        assert letter["errInfo"]["attempts"] == 3
        assert letter["errInfo"]["requestId"]


@pytest.mark.parametrize(
    ("behaviour", "error_class", "attempts"),
    [
        (Behaviour(outcome="function_error", error_type="Boom"), "Boom", 1),
        (Behaviour(outcome="error", status=418, error_type="Teapot"), "Teapot", 1),
        (Behaviour(outcome="drop_after"), "UnknownOutcome", 3),
        (Behaviour(outcome="hang"), "TimedOut", 3),
    ],
)
async def test_dlq_says_what_went_wrong(behaviour: Behaviour, error_class: str, attempts: int) -> None:
    """onError dlq: class, attempts, path and the document as it was sent."""
    async with running(calling_program(site())) as rig:
        rig.invoker.program("f", behaviour)
        rig.give({"id": 1}, {"id": 2, "do": "drop"})
        await rig.all_committed(2)
        (letter,) = rig.letters()
        assert letter["errInfo"]["class"] == error_class
        assert letter["errInfo"]["attempts"] == attempts
        assert letter["errInfo"]["path"] == site().path
        assert letter["operatorName"] == "$externalFunction"
        assert letter["doc"] == {"id": 1}
        rig.processor.status()


async def test_ignored_errors_let_the_document_go_on() -> None:
    """onError ignore: the document goes on without `as`, in its place."""
    async with running(calling_program(site(on_error="ignore"))) as rig:
        rig.invoker.program("f", Behaviour(outcome="function_error", times=1))
        rig.give({"id": 1}, {"id": 2})
        await rig.all_committed(2)
        assert rig.results() == [{"id": 1}, {"id": 2, "answer": {"id": 2}}]


async def test_a_call_may_end_the_pipeline() -> None:
    """Without a sink answered documents count as emitted, failed ones follow onError."""
    async with running(calling_program(site(on_error="ignore"), sink=None)) as rig:
        rig.invoker.program("f", Behaviour(outcome="function_error", times=1))
        rig.give({"id": 1}, {"id": 2}, None)
        await rig.all_committed(3)
        status = rig.processor.status()
        assert (status.ignored, status.emitted, status.dropped) == (1, 1, 1)
        assert rig.producer.written == []


async def test_fail_stops_the_processor_at_the_document() -> None:
    """onError fail: FAILED with the record's place; what came before is committed, nothing past it."""
    async with running(calling_program(site(on_error="fail", parallelism=1))) as rig:
        rig.invoker.program("f", Behaviour(id_field="id", fates=(Fate(0.0, Behaviour()),), outcome="echo"))
        rig.give({"id": 0}, {"id": 1}, {"id": 2})
        await rig.all_committed(3)
        rig.invoker.program("f", Behaviour(outcome="function_error", error_type="Boom"))
        rig.give({"id": 3}, {"id": 4})
        await rig.until(lambda: rig.source.stopped)
        assert rig.processor.state == "FAILED"
        assert "in[0]@3" in rig.processor.error
        await rig.rest()
        assert rig.committed() == 3
        assert rig.ids() == [0, 1, 2]
        assert rig.letters() == []


async def test_a_refused_payload_is_dead_lettered_whatever_on_error_says() -> None:
    """The payload pipeline refuses: no call, a dead letter, even with onError ignore."""

    def payload(doc: Document, _meta: Meta | None) -> Document | Refused:
        return Refused("no payload", "$externalFunction", "payload[0]", doc) if doc["id"] == 1 else {"p": 1}

    async with running(calling_program(site(on_error="ignore", payload=payload))) as rig:
        rig.give({"id": 1}, {"id": 2})
        await rig.all_committed(2)
        assert rig.ids() == [2]
        assert rig.invoked() == [{"p": 1}]
        assert rig.letters()[0]["errInfo"]["path"] == "payload[0]"


async def test_a_document_that_cannot_be_sent_is_dead_lettered() -> None:
    """No JSON form: dead-lettered at the call, whatever onError says."""
    async with running(calling_program(site(on_error="ignore"))) as rig:
        rig.give({"id": 1, "do": "nan"}, {"id": 2})
        await rig.all_committed(2)
        assert rig.letters()[0]["errInfo"]["class"] == "NotEncodable"
        assert rig.letters()[0]["doc"] is None


async def test_a_request_over_lambdas_limit_is_not_sent() -> None:
    """1 MiB is the bound of an async call."""
    async with running(
        calling_program(site(execution="async", set_result=None)), settings={"max_record_bytes": 3_000_000}
    ) as rig:
        rig.give({"id": 1, "do": "grow", "size": 1_048_577})
        await rig.all_committed(1)
        assert rig.letters()[0]["errInfo"]["class"] == "RequestTooLarge"
        assert not rig.invoker.requests


async def test_poison_and_tombstones_keep_their_place_among_calls() -> None:
    """They wait for the calls before them, and make none."""
    async with running(calling_program(site())) as rig:
        rig.invoker.program("f", _slow_first(3))
        rig.give({"id": 1}, None, b"{", {"id": 2}, {"id": 3, "do": "drop"}, {"id": 4, "do": "refuse"})
        await rig.all_committed(6)
        assert [doc and doc["id"] for doc in rig.results()] == [1, None, 2]
        assert len(rig.invoker.requests) == 2
        assert [letter["_stream_meta"]["source"]["offset"] for letter in rig.letters()] == [2, 5]


async def test_two_calls_in_a_row() -> None:
    """A document goes through both; order and counts hold."""
    async with running(calling_program(site(), site(function="g", path="pipeline[4]"))) as rig:
        rig.invoker.program("f", _slow_first(5))
        rig.invoker.program("g", _slow_first(3))
        rig.give(*({"id": n} for n in range(40)))
        await rig.all_committed(40)
        assert rig.ids() == list(range(40))
        assert rig.invoker.function("g").calls == 40
        assert rig.processor.status().calls == 80


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_one_document_may_become_several_before_a_call(count: int) -> None:
    """Each has its own call; the record settles when all have ended."""
    async with running(calling_program(site())) as rig:
        rig.invoker.program("f", Behaviour(latency_ms=3))
        rig.give({"id": "a", "do": "many", "count": count}, {"id": "b"})
        await rig.all_committed(2)
        assert rig.ids() == [*(f"a.{n}" for n in range(count)), "b"]
        assert rig.invoker.function("f").calls == count + 1


async def test_one_document_may_become_several_after_a_call() -> None:
    """The documents of one record leave together and in their order."""

    def spread(doc: Document) -> Many:
        return Many([{"id": f"{doc['id']}.{n}"} for n in range(int(doc["id"]))])

    program = Program(None, (segment(), segment(spread)), (site(),), calling_program(site()).sink)
    async with running(program) as rig:
        rig.invoker.program("f", _slow_first(3))
        rig.give(*({"id": n} for n in range(4)))
        await rig.all_committed(4)
        assert rig.ids() == ["1.0", "2.0", "2.1", "3.0", "3.1", "3.2"]


async def test_a_record_with_a_good_and_a_refused_document_counts_as_dead_lettered() -> None:
    """Its results are written, its dead letter too, and only then is it committed."""
    async with running(calling_program(site())) as rig:
        rig.invoker.program("f", Behaviour(outcome="function_error", times=1))
        rig.give({"id": "a", "do": "many", "count": 2})
        await rig.all_committed(1)
        assert rig.ids() == ["a.1"]
        assert len(rig.letters()) == 1
        assert rig.processor.status().dead_lettered == 1


@pytest.mark.parametrize("where", ["the producer", "the broker"])
async def test_a_result_too_large_is_dead_lettered_once(where: str) -> None:
    """One dead letter, whoever refuses the result, and nothing committed before it is written."""
    async with running(calling_program(site(set_result=None))) as rig:
        if where == "the producer":
            rig.producer.max_request_bytes = 500
        else:
            rig.producer.max_topic_bytes[RESULTS] = 500
        rig.give({"id": 1, "do": "grow", "size": 600}, {"id": 2})
        await rig.all_committed(2)
        await rig.rest()
        assert rig.ids() == [2]
        assert [letter["errInfo"]["class"] for letter in rig.letters()] == ["ResultTooLarge"]


async def test_a_record_settles_after_all_its_acks_when_one_result_is_too_large() -> None:
    """Two results, one refused by the producer at once: three acks are never taken for two."""
    async with running(calling_program(site(set_result=None))) as rig:
        rig.producer.max_request_bytes = 12
        rig.producer.hold()
        rig.give({"id": "a", "do": "many", "count": 2}, {"id": "longer", "do": "many", "count": 1})
        await rig.until(lambda: rig.producer.outstanding() == 3)
        await rig.rest()
        assert rig.producer.outstanding() == 3
        rig.producer.release(2)
        await rig.until(lambda: rig.committed() == 1, "the first record, by its two acks")


async def test_topics_by_expression() -> None:
    """A sink that names its topic for each document; what it refuses is dead-lettered."""
    program = Program(None, (segment(),), (), renaming_sink())
    async with running(program) as rig:
        rig.give({"id": 1, "to": "a"}, {"id": 2, "to": "b"}, {"id": 3}, None)
        await rig.all_committed(4)
        assert (rig.ids("a"), rig.ids("b")) == ([1], [2])
        assert [letter["errInfo"]["class"] for letter in rig.letters()] == ["record", "Tombstone"]


async def _stalled(rig: Rig, records: int) -> None:
    rig.invoker.program("f", Behaviour(outcome="hang"))
    rig.invoker.hold()
    rig.give(*({"id": n} for n in range(records)))
    await rig.until(lambda: rig.invoker.open_calls() == 4)
    await rig.rest()


async def test_a_stalled_function_bounds_what_is_taken_up() -> None:
    """Two turns of every place and one slice wait for a call; the rest waits as it came; all frees again."""
    async with running(calling_program(site(timeout_seconds=1.0))) as rig:
        await _stalled(rig, 1_000)
        status = rig.processor.status()
        assert status.in_flight == 4
        assert status.waiting <= 2 * 4 + 10
        assert rig.committed() == 0
        rig.invoker.program("f", Behaviour())
        await rig.until(lambda: rig.committed() == 1_000, advance=1.0)
        assert rig.ids() == list(range(1_000))
        assert rig.processor.status().waiting == 0


async def test_what_is_not_settled_stays_within_the_room() -> None:
    """With a stalled function a processor holds what its limits say, however long the backlog."""
    limits = RoomLimits(200, 10_000_000, 1_000.0)
    async with running(calling_program(site(timeout_seconds=1.0)), limits=limits) as rig:
        await _stalled(rig, 2_000)
        assert rig.processor.status().buffered == 200
        assert rig.source.room.records == 200
        rig.invoker.program("f", Behaviour())
        await rig.until(lambda: rig.committed() == 2_000, advance=1.0)
        await rig.rest()
        assert (rig.source.room.records, rig.source.room.size_bytes) == (0, 0)


async def test_names_of_errors_are_bounded() -> None:
    """A function that names each of its errors anew makes no new series for ever."""

    def payload(doc: Document, _meta: Meta | None) -> Refused:
        return Refused("no", "$externalFunction", "payload", doc, error_class=f"Error-{doc['id']}")

    async with running(calling_program(site(payload=payload))) as rig:
        rig.give(*({"id": n} for n in range(400)))
        await rig.all_committed(400)
        counts = rig.processor.tally.dead_letters
        assert len(counts) <= 301
        assert counts.total() == 400
        assert rig.processor.status().dead_lettered == 400


async def test_dead_letters_of_a_record_that_never_was_a_document() -> None:
    """The dead letter topic gets the bytes as they came, between the results of its neighbours."""
    async with running(calling_program(site())) as rig:
        rig.give(b"\xff", key=b"k")
        await rig.all_committed(1)
        assert rig.producer.values(DEAD) == [b"\xff"]
        assert rig.cluster.logs[FIRST].high == 1
