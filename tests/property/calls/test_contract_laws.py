"""What one answer of the Invoke API means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bson import Int64, ObjectId
from hypothesis import given
from hypothesis import strategies as st

from workers.adapters.error_file import shipped_errors
from workers.calls.contract import (
    MAX_CLASS_CHARACTERS,
    MAX_REASON_CHARACTERS,
    UNSET,
    Answered,
    CallFailure,
    Execution,
    judge,
    judge_error,
)
from workers.calls.identity import ClientContext, record_id
from workers.errors import NotSent, Retryable, TimedOut, UnknownOutcome
from workers.ports import InvokeAnswer

TABLE = shipped_errors()


@pytest.mark.parametrize("execution", ["sync", "async"])
@pytest.mark.parametrize(
    ("status", "scope", "retryable"),
    [
        (400, "record", False),
        (401, "worker", True),
        (403, "worker", False),
        (404, "function", False),
        (408, "function", True),
        (409, "function", True),
        (410, "function", True),
        (413, "batch", False),
        (415, "worker", False),
        (429, "account", True),
        (500, "account", True),
        (502, "account", True),
        (503, "account", True),
        (504, "account", True),
        (302, "function", False),
    ],
)
@pytest.mark.parametrize("function_error", [None, "Unhandled"])
def test_statuses_that_are_failures(
    status: int, scope: str, retryable: bool, execution: Execution, function_error: str | None
) -> None:
    """Some may be tried again; the rest says whose fault it is, whatever X-Amz-Function-Error says."""
    answer = InvokeAnswer(status, b'{"Message":"no"}', function_error, retry_after_seconds=3.0)
    verdict = judge(answer, execution, TABLE)
    assert isinstance(verdict, CallFailure)
    assert (verdict.scope, verdict.retryable) == (scope, retryable)
    assert verdict.asked_seconds == 3.0
    assert verdict.outcome_unknown == (status in (408, 410, 500, 502, 504))
    assert not verdict.is_function_error
    assert str(status) in verdict.reason
    assert verdict.reason.endswith("no")


@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_accepted_async_call_sets_nothing(status: int) -> None:
    """Whatever its body; function errors of async calls are not for us."""
    for error in (None, "Unhandled"):
        assert judge(InvokeAnswer(status, b'{"a":1}', error), "async", TABLE) == Answered(UNSET)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", UNSET),
        (b"null", None),
        (b"0", 0),
        (b'"text"', "text"),
        (b'{"a":[1]}', {"a": [1]}),
        (b"not json", "not json"),
        (b" ", " "),
        (b"\xff", "�"),
        (b'{"$oid":"5f0000000000000000000000"}', ObjectId("5f" + "0" * 22)),
        (b'{"n":{"$numberLong":"7"}}', {"n": Int64(7)}),
        (b'{"$oid":"no"}', '{"$oid":"no"}'),
        (b"[" * 2_000, "[" * 2_000),
    ],
)
def test_a_sync_answer_is_its_value(body: bytes, value: Any) -> None:
    """JSON or Extended JSON, else text; 0 bytes are not a value."""
    assert judge(InvokeAnswer(200, body), "sync", TABLE) == Answered(value)


def test_the_envelope_names_what_the_answer_has() -> None:
    """StatusCode always, the rest where it is known; 0 bytes: no Payload."""
    whole = InvokeAnswer(200, b'{"a":1}', executed_version="3", log_tail="bG9n")
    assert judge(whole, "sync", TABLE, envelope=True) == Answered(
        {"StatusCode": 200, "ExecutedVersion": "3", "LogResult": "bG9n", "Payload": {"a": 1}}
    )
    assert judge(InvokeAnswer(200, b""), "sync", TABLE, envelope=True) == Answered({"StatusCode": 200})


@pytest.mark.parametrize(
    ("body", "error_class", "reason"),
    [
        (b'{"errorType":"Boom","errorMessage":"why"}', "Boom", "Boom: why"),
        (b'{"errorMessage":"why"}', "Unhandled", "Unhandled: why"),
        (b'{"errorType":"Boom"}', "Boom", "Boom: {'errorType': 'Boom'}"),
        (b"", "Unhandled", "Unhandled: "),
        (b"text", "Unhandled", "Unhandled: text"),
    ],
)
def test_a_function_that_threw(body: bytes, error_class: str, reason: str) -> None:
    """Status 200 with X-Amz-Function-Error: the record's fault, never tried again, also in an envelope."""
    for envelope in (False, True):
        verdict = judge(InvokeAnswer(200, body, "Unhandled"), "sync", TABLE, envelope=envelope)
        assert isinstance(verdict, CallFailure)
        assert (verdict.error_class, verdict.reason, verdict.scope) == (error_class, reason, "record")
        assert verdict.is_function_error
        assert not verdict.retryable


@pytest.mark.parametrize(
    ("error", "scope", "unknown"),
    [
        (NotSent("refused"), "worker", False),
        (TimedOut("30 s"), "function", True),
        (UnknownOutcome("half an answer"), "worker", True),
        (Retryable("something"), "worker", True),
    ],
)
def test_no_whole_answer(error: Retryable, scope: str, unknown: bool) -> None:
    """Tried again; only NotSent is known not to have run."""
    verdict = judge_error(error, TABLE)
    assert (verdict.scope, verdict.outcome_unknown, verdict.retryable) == (scope, unknown, True)
    assert verdict.error_class == type(error).__name__


TEXT = st.text(max_size=50) | st.integers(0, 2_000).map(lambda n: "é" * n)
BODIES = (
    st.binary(max_size=200)
    | TEXT.map(str.encode)
    | st.dictionaries(
        st.sampled_from(["errorType", "errorMessage", "Message", "message", "Reason", "x"]),
        TEXT | st.none() | st.integers() | st.lists(st.integers()) | st.dictionaries(TEXT, TEXT, max_size=2),
    ).map(lambda value: json.dumps(value).encode())
)


@given(
    status=st.integers(100, 599),
    body=BODIES,
    function_error=st.none() | st.sampled_from(["Handled", "Unhandled"]),
    error_type=st.none() | TEXT,
    execution=st.sampled_from(["sync", "async"]),
    envelope=st.booleans(),
)
def test_any_answer_has_a_verdict(
    status: int, body: bytes, function_error: str | None, error_type: str | None, execution: Execution,
    envelope: bool,
) -> None:  # fmt: skip
    """Nothing raises, and what goes into logs, labels and dead letters is bounded."""
    answer = InvokeAnswer(status, body, function_error, error_type=error_type)
    verdict = judge(answer, execution, TABLE, envelope=envelope)
    if isinstance(verdict, CallFailure):
        assert 0 < len(verdict.error_class) <= MAX_CLASS_CHARACTERS
        assert len(verdict.reason) <= MAX_REASON_CHARACTERS
    else:
        assert 200 <= status < 300


@given(st.from_regex(r"[A-Za-z0-9._-]{1,249}", fullmatch=True), st.integers(0, 2**31), st.integers(0, 2**63))
def test_the_client_context_fits_whatever_the_record(topic: str, partition: int, offset: int) -> None:
    """Lambda takes 3,583 characters."""
    text = ClientContext("pipeline[12].$externalFunction").of_document(
        record_id(topic, partition, offset), 99
    )
    assert len(text) <= 3_583
