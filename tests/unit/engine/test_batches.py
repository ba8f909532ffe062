"""Calls with batches: what is sent, what comes of each record, order, retries, pieces, moving partitions."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.fakes.lambda_behaviour import Behaviour, Fate
from tests.unit.engine.batch_sites import batched, by_record, contexts, sizes, value_of
from tests.unit.engine.rig import (
    FIRST,
    SECOND,
    calling_program,
    running,
    site,
)
from workers.errors import TimedOut
from workers.pipeline.program import Contract
from workers.ports import InvokeAnswer, InvokeRequest


async def test_batches_are_full_and_each_document_gets_its_own_answer() -> None:
    """Four records a call, matched by id whatever the order of the answer, results in source order."""

    def backwards(request: InvokeRequest) -> bytes:
        records = json.loads(request.body)["records"]
        answers = [{"id": one["id"], "result": "ok", "value": one["value"]["id"] * 2} for one in records]
        return json.dumps({"records": answers[::-1]}).encode()

    async with running(calling_program(batched())) as rig:
        rig.invoker.script("f", backwards)
        rig.give(*({"id": n} for n in range(40)))
        await rig.all_committed(40)
        assert rig.results() == [{"id": n, "answer": n * 2} for n in range(40)]
        assert sizes(rig) == [4] * 10
        assert [record["id"] for record in rig.invoked()[0]["records"]] == [f"in/0/{n}" for n in range(4)]


async def test_a_batch_that_does_not_fill_goes_when_its_time_has_come() -> None:
    """Three records for a batch of a hundred: they go together, after the delay."""
    async with running(calling_program(batched(100, "array", delay=0.005))) as rig:
        rig.give({"id": 1}, {"id": 2}, {"id": 3})
        await rig.all_committed(3)
        assert rig.invoked() == [[{"id": 1}, {"id": 2}, {"id": 3}]]
        assert rig.results()[2] == {"id": 3, "answer": {"id": 3}}


async def test_batches_mix_partitions_and_a_free_place_takes_the_next_at_once() -> None:
    """One batch holds records of both partitions; `parallelism` bounds the calls, and is reached."""
    program = calling_program(batched(4, "array", parallelism=3))
    async with running(program, partitions=2) as rig:
        rig.invoker.program("f", Behaviour(latency_ms=5))
        for number in range(60):
            rig.give({"id": number}, to=FIRST if number % 2 else SECOND)
        await rig.all_committed(30)
        await rig.all_committed(30, SECOND)
        assert rig.invoker.function("f").max_running == 3
        assert any({doc["id"] % 2 for doc in batch} == {0, 1} for batch in rig.invoked())
        assert sorted(rig.ids()) == list(range(60))


async def test_requests_are_never_above_the_limit_of_bytes() -> None:
    """Cut by the encoded request; what is too large alone is dead-lettered and not sent."""
    async with running(calling_program(batched(100, size=300))) as rig:
        rig.invoker.program("f", Behaviour(outcome="batch"))
        rig.give(*({"id": n, "text": "x" * 60} for n in range(9)), {"id": 9, "text": "x" * 300})
        await rig.all_committed(10)
        assert rig.ids() == list(range(9))
        assert sizes(rig) == [2, 2, 2, 2, 1]
        assert all(len(request.body) <= 300 for request in rig.invoker.requests)
        (letter,) = rig.letters()
        assert letter["errInfo"]["class"] == "RequestTooLarge"
        assert "maxBytes is 300" in letter["errInfo"]["reason"]


async def test_each_outcome_of_a_record() -> None:
    """ok passes, drop ends, fail is dead-lettered with its reason, retry goes again within the policy."""
    tries: dict[str, int] = {}

    def outcome(record: dict[str, Any]) -> dict[str, Any]:
        what = record["value"]["want"]
        tries[record["id"]] = tries.get(record["id"], 0) + 1
        if what == "once more" and tries[record["id"]] == 2:
            return {"result": "ok", "value": "at last"}
        error = {"type": "NoStock", "message": "none left"}
        return {"result": {"once more": "retry"}.get(what, what), "value": 1, "error": error}

    async with running(calling_program(batched())) as rig:
        rig.invoker.script("f", by_record(outcome))
        wanted = ["ok", "drop", "fail", "retry", "once more", "ok"]
        rig.give(*({"id": n, "want": want} for n, want in enumerate(wanted)))
        await rig.all_committed(6)
        assert [(doc["id"], doc["answer"]) for doc in rig.results()] == [(0, 1), (4, "at last"), (5, 1)]
        assert tries == {"in/0/0": 1, "in/0/1": 1, "in/0/2": 1, "in/0/3": 3, "in/0/4": 2, "in/0/5": 1}
        found = [(one["errInfo"]["class"], one["errInfo"]["reason"], one["errInfo"]["attempts"])
                 for one in rig.letters()]  # fmt: skip
        assert found == [("NoStock", "none left", 1), ("NoStock", "none left", 3)]
        status = rig.processor.status()
        assert (status.emitted, status.dropped, status.dead_lettered) == (3, 1, 2)


@pytest.mark.parametrize("on_error", ["ignore", "fail"])
async def test_on_error_is_about_the_record_and_not_its_batch(on_error: str) -> None:
    """ignore: it goes on without `as`, its neighbours with; fail: FAILED, with the record's place."""
    async with running(calling_program(batched(on_error=on_error))) as rig:
        rig.invoker.script(
            "f", by_record(lambda one: {"result": "fail" if one["value"]["id"] == 2 else "ok", "value": 1})
        )
        rig.give(*({"id": n} for n in range(4)))
        if on_error == "ignore":
            await rig.all_committed(4)
            assert rig.results() == [{"id": n} if n == 2 else {"id": n, "answer": 1} for n in range(4)]
        else:
            await rig.until(lambda: rig.processor.state == "FAILED")
            assert "in[0]@2" in rig.processor.error
            assert rig.committed() <= 2
        assert rig.letters() == []


async def test_a_broken_answer_fails_its_records_and_is_counted() -> None:
    """A missing id fails that record alone; the metric names the rule."""

    def forgetful(request: InvokeRequest) -> bytes:
        records = json.loads(request.body)["records"]
        answers = [{"id": one["id"], "result": "ok"} for one in records if one["value"]["id"] != 1]
        return json.dumps({"records": [*answers, {"id": "nobody", "result": "ok"}]}).encode()

    async with running(calling_program(batched())) as rig:
        rig.invoker.script("f", forgetful)
        rig.give(*({"id": n} for n in range(4)))
        await rig.all_committed(4)
        assert rig.ids() == [0, 2, 3]
        assert [letter["errInfo"]["class"] for letter in rig.letters()] == ["InvalidAnswer"]
        rig.processor.status()
        text = rig.metrics.text()
        name = "penstock_call_contract_violations_total"
        assert f'{name}{{function="f",kind="missing_id",processor="orders"}} 1.0' in text
        assert f'{name}{{function="f",kind="unknown_id",processor="orders"}} 1.0' in text
        assert 'penstock_call_record_results_total{function="f",processor="orders",result="fail"} 1.0' in text
        assert 'penstock_call_batch_records_bucket{function="f",le="5.0",processor="orders"} 1.0' in text


@pytest.mark.parametrize("kind", ["function error", "time-out", "413", "invalid content"])
async def test_a_batch_that_fails_as_a_whole_is_split_down_to_the_guilty_record(kind: str) -> None:
    """Its neighbours pass, it follows onError; the calls are few."""

    def poisoned(request: InvokeRequest) -> bytes | InvokeAnswer | Exception:
        if not any(one["value"]["id"] == 5 for one in json.loads(request.body)["records"]):
            return by_record(lambda one: {"result": "ok", "value": 1})(request)
        if kind == "function error":
            return InvokeAnswer(200, b'{"errorType":"Boom","errorMessage":"no"}', "Unhandled")
        if kind == "time-out":
            return TimedOut("no answer")
        if kind == "413":
            return InvokeAnswer(413, b"", error_type="RequestTooLargeException")
        return InvokeAnswer(400, b"", error_type="InvalidRequestContentException")

    async with running(calling_program(batched(8, parallelism=1, delay=1.0))) as rig:
        rig.invoker.script("f", poisoned)
        rig.give(*({"id": n} for n in range(8)))
        await rig.all_committed(8)
        assert rig.ids() == [0, 1, 2, 3, 4, 6, 7]
        (letter,) = rig.letters()
        assert letter["doc"]["id"] == 5
        # A single record that timed out is tried again like any document.
        assert letter["errInfo"]["attempts"] == (3 if kind == "time-out" else 1)
        assert sizes(rig) == [8, 4, 4, 2, 1, *([1] * (3 if kind == "time-out" else 1)), 2]
        rig.processor.status()
        assert 'penstock_call_splits_total{function="f",processor="orders"} 3.0' in rig.metrics.text()


async def test_a_throttled_batch_is_tried_again_as_a_whole() -> None:
    """The context counts each attempt, ids are the same; as many as it takes, within `maxElapsed`."""
    refusals = [InvokeAnswer(429, b"", error_type="TooManyRequestsException")] * 4

    def throttled(request: InvokeRequest) -> bytes | InvokeAnswer:
        return refusals.pop() if refusals else by_record(lambda _: {"result": "ok", "value": 1})(request)

    async with running(calling_program(batched(delay=1.0))) as rig:
        rig.invoker.script("f", throttled)
        rig.give(*({"id": n} for n in range(4)))
        await rig.all_committed(4)
        assert sizes(rig) == [4] * 5
        found = contexts(rig)
        assert [(one["attempt"], one["count"]) for one in found] == [(n, 4) for n in range(1, 6)]
        assert len({one["id"] for one in found}) == 1
        assert not rig.letters()


async def test_attempts_of_an_earlier_owner_count() -> None:
    """A record that was tried twice elsewhere has one attempt left; a new one has three."""
    async with running(calling_program(batched(1))) as rig:
        rig.invoker.program("f", Behaviour(outcome="error", status=500))
        rig.invoker.hold()
        rig.give({"id": 0})
        await rig.until(lambda: rig.invoker.open_calls() == 1)
        (slot,) = rig.processor.partitions[FIRST].slots.values()
        assert (slot.tried_site, slot.tried) == (0, 0)
        await rig.until(lambda: slot.tried == 2, advance=0.01)
        assert slot.tried_site == 0
        position = rig.processor.partitions[FIRST].position()
        assert position.tried == ((0, 1, 0, 2),)


async def test_values_of_partition_by_never_overlap_and_keep_their_order() -> None:
    """With `records` no batch has two of a value; calls of one value follow each other."""
    program = calling_program(batched(5, partition_by=value_of, parallelism=4))
    async with running(program, partitions=2) as rig:
        fates = (
            Fate(0.2, Behaviour(outcome="error", times=1)),
            Fate(0.1, Behaviour(outcome="function_error")),
        )
        rig.invoker.program(
            "f",
            Behaviour(
                outcome="batch", latency_ms=5, value_field="of", order_field="id", id_field="id", fates=fates
            ),
        )
        for number in range(200):
            rig.give({"id": number, "of": number % 7}, to=FIRST)
        rig.give({"id": 200})
        await rig.all_committed(201)
        function = rig.invoker.function("f")
        assert (function.overlaps, function.disorder) == (0, 0)
        for body in rig.invoked():
            values = [one["value"]["of"] for one in body["records"]]
            assert len(values) == len(set(values))
        assert len(rig.ids()) + len(rig.letters()) == 201
        assert [letter["errInfo"]["path"] for letter in rig.letters()][-1] == "partitionBy"


@pytest.mark.parametrize("contract", ["array", "kafkaEvent"])
async def test_contracts_that_keep_order_take_several_records_of_a_value(contract: Contract) -> None:
    """A hundred records of three values need few calls, which do not overlap."""
    call = batched(20, contract, partition_by=value_of, parallelism=4, set_result=None)
    async with running(calling_program(call)) as rig:
        behaviour = Behaviour(
            outcome="batch", latency_ms=5, value_field="of", order_field="id", id_field="id"
        )
        rig.invoker.program("f", behaviour)
        rig.give(*({"id": n, "of": n % 3} for n in range(100)))
        await rig.all_committed(100)
        function = rig.invoker.function("f")
        assert (function.overlaps, function.disorder) == (0, 0)
        assert function.calls < 40
        assert rig.ids() == list(range(100))


async def test_a_document_by_itself_is_gated_too() -> None:
    """Without batches calls of one value do not overlap either, others go on beside them."""
    async with running(calling_program(site(partition_by=value_of, parallelism=6))) as rig:
        open_values: list[int] = []
        seen: list[int] = []

        def watch(request: InvokeRequest) -> bytes:
            seen.append(json.loads(request.body)["id"])
            return request.body

        rig.invoker.program("f", Behaviour(latency_ms=5))
        rig.invoker.script("f", watch)
        rig.invoker.hold()
        rig.give(*({"id": n, "of": n % 2} for n in range(20)))
        await rig.until(lambda: rig.invoker.open_calls() == 2)
        await rig.rest()
        assert (rig.invoker.open_calls(), open_values) == (2, [])
        await rig.until(lambda: rig.committed() == 20, advance=0.01)
        assert [n for n in seen if n % 2] == list(range(1, 20, 2))
        assert [n for n in seen if not n % 2] == list(range(0, 20, 2))
        assert rig.ids() == list(range(20))


async def test_a_kafka_event_goes_on_from_the_reported_record() -> None:
    """What comes behind it in its partition goes again without an attempt; it fails after the last one."""
    calls: list[list[int]] = []

    def stops_at_two(request: InvokeRequest) -> bytes:
        offsets = [one["offset"] for one in json.loads(request.body)["records"]["in-0"]]
        calls.append(offsets)
        failed = [{"itemIdentifier": {"partition": "in-0", "offset": 2}}] if 2 in offsets else []
        return json.dumps({"batchItemFailures": failed}).encode()

    async with running(calling_program(batched(4, "kafkaEvent", set_result=None))) as rig:
        rig.invoker.script("f", stops_at_two)
        rig.give(*({"id": n} for n in range(4)))
        await rig.all_committed(4)
        assert calls == [[0, 1, 2, 3], [2, 3], [2, 3], [3]]
        assert rig.ids() == [0, 1, 3]
        assert [letter["errInfo"]["attempts"] for letter in rig.letters()] == [3]


async def test_a_kafka_event_holds_the_records_own_bytes() -> None:
    """Its value with the blanks that it came with, where nothing changed it."""
    call = batched(2, "kafkaEvent", set_result=None, sends_source=True)
    async with running(calling_program(call)) as rig:
        rig.invoker.program("f", Behaviour(outcome="empty"))
        rig.give(b'{ "id": 1 }')
        await rig.all_committed(1)
        (body,) = rig.invoked()
        assert base64.b64decode(body["records"]["in-0"][0]["value"]) == b'{ "id": 1 }'


async def test_async_batches_pass_on_when_they_are_accepted() -> None:
    """No answer is read; the payload carries the ids where a field is named for them."""
    call = batched(2, "array", execution="async", set_result=None, identity_field="penstock")
    async with running(calling_program(call)) as rig:
        rig.give({"id": 1}, {"id": 2})
        await rig.all_committed(2)
        assert rig.results() == [{"id": 1}, {"id": 2}]
        (request,) = rig.invoker.requests
        assert (request.invocation_type, request.client_context) == ("Event", None)
        assert json.loads(request.body) == [
            {"id": n, "penstock": {"id": f"in/0/{n - 1}", "site": call.path}} for n in (1, 2)
        ]


async def test_documents_that_a_record_became_have_ids_of_their_own() -> None:
    """`topic/partition/offset/place`, in requests with batches and in the context of one call."""
    async with running(calling_program(batched(2), site(function="g", path="pipeline[4]"))) as rig:
        rig.invoker.program("f", Behaviour(outcome="batch"))
        rig.give({"id": "a", "do": "many", "count": 2})
        await rig.all_committed(1)
        (body,) = [json.loads(one.body) for one in rig.invoker.requests if one.function == "f"]
        assert [one["id"] for one in body["records"]] == ["in/0/0/0", "in/0/0/1"]
        ids = [one["id"] for one in contexts(rig) if "count" not in one]
        assert sorted(ids) == ["in/0/0/0", "in/0/0/1"]
