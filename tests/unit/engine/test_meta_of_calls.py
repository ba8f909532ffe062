"""`{$meta: "stream.externalFunction..."}`: what later stages know of the call before them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.lambda_behaviour import THROTTLED, Behaviour
from tests.unit.engine.rig import Rig, running
from workers.pipeline import compile_processor
from workers.pipeline.program import Program

SOURCE: dict[str, Any] = {"$source": {"connectionName": "kafka", "topic": "in"}}
EMIT: dict[str, Any] = {"$emit": {"connectionName": "kafka", "topic": "results"}}
ALL: dict[str, Any] = {"$addFields": {"call": {"$meta": "stream.externalFunction"}}}


def call(name: str = "f", **options: Any) -> dict[str, Any]:
    retry = {"maxAttempts": 3, "base": "1ms", "cap": "2ms"}
    return {"$externalFunction": {"connectionName": "aws", "functionName": name, "retry": retry, **options}}


def program(*stages: dict[str, Any]) -> Program:
    return compile_processor([SOURCE, *stages, EMIT])


async def results(rig: Rig, *docs: Any) -> list[Any]:
    rig.give(*docs)
    await rig.all_committed(len(docs))
    return rig.results()


async def test_a_later_stage_knows_the_request_and_the_version() -> None:
    """The request id and version are those of the answer; one attempt; the time is not negative."""
    async with running(program(call(), ALL)) as rig:
        (result,) = await results(rig, {"id": 1})
        found = result["call"]
        assert found.keys() == {"requestId", "executedVersion", "attempts", "durationMs"}
        assert found["requestId"]
        assert found["executedVersion"]
        assert found["attempts"] == 1
        assert found["durationMs"] >= 0


async def test_attempts_are_those_of_the_whole_call() -> None:
    """Two refusals before the answer make three attempts."""
    async with running(program(call(), ALL)) as rig:
        rig.invoker.program("f", replace(THROTTLED, retry_after_seconds=None, times=2))
        (result,) = await results(rig, {"id": 1})
        assert result["call"]["attempts"] == 3


async def test_a_later_call_replaces_what_an_earlier_one_left() -> None:
    """Between two calls the first is seen, after them the second."""
    between = {"$addFields": {"first": {"$meta": "stream.externalFunction.requestId"}}}
    async with running(program(call(), between, call("g"), ALL)) as rig:
        (result,) = await results(rig, {"id": 1})
        assert result["first"] != result["call"]["requestId"]


async def test_an_ignored_failure_is_known_too() -> None:
    """`onError: ignore` leaves how often it was tried."""
    async with running(program(call(onError="ignore"), ALL)) as rig:
        rig.invoker.program("f", Behaviour(outcome="error", status=500))
        (result,) = await results(rig, {"id": 1})
        assert result["call"]["attempts"] == 3


async def test_each_document_of_a_record_has_its_own_call() -> None:
    """Documents that $unwind made of one record share no meta."""
    async with running(program({"$unwind": "$list"}, call(), ALL)) as rig:
        found = await results(rig, {"list": [1, 2, 3]})
        assert len({result["call"]["requestId"] for result in found}) == 3


async def test_emit_reads_it() -> None:
    """`$emit` may key a record by the version that answered."""
    config = {"key": {"$meta": "stream.externalFunction.executedVersion"}, "keyFormat": "string"}
    emit = {"$emit": {"connectionName": "kafka", "topic": "results", "config": config}}
    async with running(compile_processor([SOURCE, call(), emit])) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        (record,) = [record for record in rig.producer.written if record.topic() == "results"]
        assert record.key()


READERS = [
    ({"$match": {"$expr": {"$gt": [{"$meta": "stream.externalFunction.attempts"}, 1]}}}, True),
    ({"$addFields": {"all": {"$meta": "stream"}}}, True),
    ({"$addFields": {"topic": {"$meta": "stream.source.topic"}}}, False),
    ({"$addFields": {"seen": True}}, False),
]


@pytest.mark.parametrize(("stage", "is_read"), READERS)
def test_only_a_program_that_reads_it_pays_for_it(stage: dict[str, Any], is_read: bool) -> None:
    """The call sets the meta where a stage after it reads it, and a stage before it does not count."""
    assert program(call(), stage).calls[0].sets_meta is is_read
    assert program(stage, call()).calls[0].sets_meta is False
