"""`$https` in a running processor: statuses under both policies, bodies, refusals, meta and dead letters."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.fakes.requester import Answer, FakeRequester, said
from tests.unit.engine.rig import Rig, running
from workers.errors import NotSent, ProcessorFailed, TimedOut, UnknownOutcome
from workers.pipeline import compile_processor
from workers.ports import HttpRequest

SOURCE: dict[str, Any] = {"$source": {"connectionName": "kafka", "topic": "in"}}
EMIT: dict[str, Any] = {"$emit": {"connectionName": "kafka", "topic": "results"}}
QUICK = {"maxAttempts": 3, "base": "1ms", "cap": "2ms"}
SANE = [408, 429, "5xx", "connection", "timeout", "unknown"]


@asynccontextmanager
async def calling(
    requester: FakeRequester, fields: dict[str, Any], *after: dict[str, Any]
) -> AsyncIterator[Rig]:
    stage = {"$https": {"connectionName": "api", "as": "answer", "retry": QUICK, **fields}}
    program = compile_processor([SOURCE, stage, *after, EMIT])
    async with running(program, settings={"clients": (requester,)}) as rig:
        yield rig


def always(answer: Answer) -> FakeRequester:
    return FakeRequester(lambda _request: answer)


def first_failing(times: int, failure: Answer) -> FakeRequester:
    requester = FakeRequester()
    requester.script = lambda _request: failure if len(requester.requests) <= times else said(200, b"[1]")
    return requester


async def test_the_answer_is_set_and_the_document_goes_on() -> None:
    """Path, parameters and headers by expression; the body is the document."""
    requester = always(said(200, b'{"score":7}'))
    fields = {
        "method": "POST",
        "path": {"$concat": ["score/", "$id"]},
        "parameters": {"v": 2},
        "headers": {"X-Id": "$id"},
        "timeout": "3s",
    }
    async with calling(requester, fields) as rig:
        rig.give({"id": "a b"})
        await rig.all_committed(1)
        assert rig.results() == [{"id": "a b", "answer": {"score": 7}}]
    expected = HttpRequest("POST", "/score/a%20b?v=2", (("X-Id", "a b"),), b'{"id":"a b"}', 3.0, 30.0)
    assert requester.requests == [expected]


async def test_a_payload_is_the_body_and_a_get_has_none() -> None:
    """With Extended JSON for what JSON does not have."""
    requester = always(said(204, b""))
    async with calling(requester, {"method": "PUT", "payload": [{"$project": {"n": 1}}]}) as rig:
        rig.give({"n": {"$numberDecimal": "1.5"}, "x": 1})
        await rig.all_committed(1)
        assert rig.results() == [{"n": {"$numberDecimal": "1.5"}, "x": 1}]
    assert json.loads(requester.requests[0].body or b"") == {"n": {"$numberDecimal": "1.5"}}
    plain = always(said())
    async with calling(plain, {}) as rig:
        rig.give({"n": 1})
        await rig.all_committed(1)
    assert plain.requests[0].body is None


@pytest.mark.parametrize("status", [400, 404, 410, 413, 414, 431])
async def test_a_status_about_the_document_is_on_errors(status: int) -> None:
    """One attempt, a dead letter that says which request and which status."""
    requester = always(said(status, b"no such thing", "text/plain"))
    async with calling(requester, {"path": "x", "parameters": {"key": "geheim"}}) as rig:
        rig.give({"id": 1}, {"id": 2})
        await rig.all_committed(2)
        letters = rig.letters()
        assert rig.results() == []
    assert len(requester.requests) == 2
    info = letters[0]["errInfo"]
    assert (info["class"], info["scope"], info["attempts"]) == (f"HTTP {status}", "record", 1)
    assert "no such thing" in info["reason"]
    assert letters[0]["operatorName"] == "$https"
    https = letters[0]["_stream_meta"]["https"]
    assert https.pop("responseTimeMs") >= 0
    assert https == {"url": "https://api.example.com/…/x", "method": "GET", "httpStatusCode": status}


@pytest.mark.parametrize(("status", "attempts"), [(401, 1), (403, 1), (302, 1), (429, 3), (500, 3), (503, 3)])
async def test_any_other_status_stops_the_processor(status: int, attempts: int) -> None:
    """Atlas's table, whatever `onError` says; what may pass is tried again first. Nothing is committed."""
    requester = always(said(status))
    async with calling(requester, {"onError": "ignore"}) as rig:
        rig.give({"id": 1})
        await rig.until(lambda: rig.processor.state == "FAILED", "the processor failed")
        assert rig.committed() == 0
        assert rig.letters() == []
    assert len(requester.requests) == attempts


@pytest.mark.parametrize("failure", [said(503), said(429), NotSent("x"), TimedOut("x"), UnknownOutcome("x")])
@pytest.mark.parametrize("retry_on", [None, SANE])
async def test_what_passes_within_retry_is_not_noticed(failure: Answer, retry_on: list[Any] | None) -> None:
    """Two failures and an answer, in both policies."""
    requester = first_failing(2, failure)
    fields = {} if retry_on is None else {"retryOn": retry_on}
    async with calling(requester, fields) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        assert rig.results() == [{"id": 1, "answer": [1]}]
    assert len(requester.requests) == 3


@pytest.mark.parametrize("failure", [said(503), said(429), NotSent("gone"), TimedOut("slow")])
async def test_with_retry_on_a_failure_is_on_errors_in_the_end(failure: Answer) -> None:
    """After all attempts a dead letter, and the next document goes on."""
    requester = always(failure)
    hold = {"hold": {"timeout": "1ms"}} if isinstance(failure, NotSent) else {}
    async with calling(requester, {"retryOn": SANE, **hold}) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        (letter,) = rig.letters()
    assert letter["errInfo"]["attempts"] == 3
    assert len(requester.requests) == 3 * (2 if hold else 1)


async def test_what_retry_on_does_not_name_is_not_tried_again() -> None:
    """Neither a status nor a time-out."""
    for failure in (said(503), TimedOut("slow")):
        requester = always(failure)
        async with calling(requester, {"retryOn": [429]}) as rig:
            rig.give({"id": 1})
            await rig.all_committed(1)
            assert len(rig.letters()) == 1
        assert len(requester.requests) == 1


@pytest.mark.parametrize("failure", [NotSent("gone"), TimedOut("slow"), UnknownOutcome("cut")])
async def test_by_atlass_table_a_service_that_is_away_stops_the_processor(failure: Answer) -> None:
    """It would otherwise drain the topic into the dead letters."""
    async with calling(always(failure), {}) as rig:
        rig.give({"id": 1})
        await rig.until(lambda: rig.processor.state == "FAILED", "the processor failed")
        assert rig.letters() == []


async def test_an_address_that_is_never_called_stops_the_processor() -> None:
    """The client says so by an error of its own."""
    requester = always(ProcessorFailed("leads to 169.254.169.254, link-local: nothing is sent there"))
    async with calling(requester, {"retryOn": SANE, "onError": "dlq"}) as rig:
        rig.give({"id": 1})
        await rig.until(lambda: rig.processor.state == "FAILED", "the processor failed")
        assert rig.letters() == []


async def test_ignore_and_fail() -> None:
    """`ignore` lets the document go on without `as`; `fail` stops."""
    async with calling(always(said(404)), {"onError": "ignore"}) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        assert rig.results() == [{"id": 1}]
    async with calling(always(said(404)), {"onError": "fail"}) as rig:
        rig.give({"id": 1})
        await rig.until(lambda: rig.processor.state == "FAILED", "the processor failed")


@pytest.mark.parametrize(
    "fields", [{"path": "$nope"}, {"headers": {"X-A": "$n"}}, {"parameters": {"q": {"$toInt": "$s"}}}]
)
async def test_a_request_that_cannot_be_made_is_dead_lettered_unsent(fields: dict[str, Any]) -> None:
    """Whatever `onError` says."""
    requester = always(said())
    async with calling(requester, {**fields, "onError": "ignore"}) as rig:
        rig.give({"id": 1, "n": 5, "s": "x"})
        await rig.all_committed(1)
        assert len(rig.letters()) == 1
    assert requester.requests == []


async def test_a_body_too_large_is_dead_lettered_unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is named."""
    monkeypatch.setattr("workers.engine.https_calls.MAX_HTTPS_REQUEST_BYTES", 10)
    requester = always(said())
    async with calling(requester, {"method": "POST", "onError": "ignore"}) as rig:
        rig.give({"id": "x" * 100})
        await rig.all_committed(1)
        (letter,) = rig.letters()
    assert letter["errInfo"]["class"] == "RequestTooLarge"
    assert requester.requests == []


async def test_a_later_stage_knows_the_request() -> None:
    """`stream.https`, without the query; what an earlier function call left stays."""
    seen = {"$addFields": {"m": {"$meta": "stream.https"}, "f": {"$meta": "stream.externalFunction"}}}
    async with calling(always(said(201)), {"path": "p", "parameters": {"k": 1}}, seen) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        (result,) = rig.results()
    assert result["m"].pop("responseTimeMs") >= 0
    assert result["m"] == {"url": "https://api.example.com/…/p", "method": "GET", "httpStatusCode": 201}
    assert "f" not in result


async def test_a_request_ends_a_pipeline() -> None:
    """As a sink: committed when it was answered; `ignore` drops what failed."""
    requester = always(said(404))
    stage = {"$https": {"connectionName": "api", "method": "POST", "onError": "ignore"}}
    async with running(compile_processor([SOURCE, stage]), settings={"clients": (requester,)}) as rig:
        rig.give({"id": 1}, {"id": 2})
        await rig.all_committed(2)
        assert rig.letters() == []
    assert len(requester.requests) == 2


async def test_parse_json_strings() -> None:
    """Texts in the answer become values."""
    requester = always(said(200, rb'{"a":"{\"b\":1}"}'))
    async with calling(requester, {"config": {"parseJsonStrings": True}}) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        assert rig.results() == [{"id": 1, "answer": {"a": {"b": 1}}}]


@pytest.mark.parametrize(("status", "reason"), [(429, "throttled"), (503, "server_error")])
async def test_retries_are_counted_by_what_they_are_for(status: int, reason: str) -> None:
    """With the connection's name as the function's."""
    async with calling(first_failing(2, said(status)), {}) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        labels = {"processor": "orders", "function": "api", "reason": reason}
        assert rig.metrics.registry.get_sample_value("penstock_call_retries_total", labels) == 2
