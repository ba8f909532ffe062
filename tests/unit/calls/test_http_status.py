"""Every status that HTTP has, under both policies of `$https`; transport errors; how answers are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers.calls.contract import UNSET, Answered, CallFailure, Verdict
from workers.calls.http_status import (
    RetryOn,
    judge_http,
    judge_http_error,
    reaction_to,
    with_parsed_strings,
)
from workers.errors import AnswerTooLarge, NotSent, Retryable, TimedOut, UnknownOutcome
from workers.ports import InvokeAnswer

NO_SUCCESS = [*range(100, 200), *range(300, 600)]
ATLAS_ON_ERROR = (400, 404, 410, 413, 414, 431)
ATLAS_RETRIED = (408, 425, 429, 500, 502, 503, 504)
SANE: RetryOn = frozenset({408, 429, "5xx", "connection", "timeout"})


def answer(status: int, body: bytes = b"{}", content_type: str | None = "application/json") -> InvokeAnswer:
    return InvokeAnswer(status, body, content_type=content_type, retry_after_seconds=3.0)


def failed(verdict: Verdict) -> CallFailure:
    assert isinstance(verdict, CallFailure)
    return verdict


@pytest.mark.parametrize("status", NO_SUCCESS)
def test_every_status_by_atlass_table(status: int) -> None:
    """Six are about the document; all others stop the processor, seven of them after retries."""
    found = failed(judge_http(answer(status), None))
    assert found.error_class == f"HTTP {status}"
    assert found.scope == ("record" if status in ATLAS_ON_ERROR else "configuration")
    assert found.retryable == (status in ATLAS_RETRIED)


@pytest.mark.parametrize("status", NO_SUCCESS)
def test_every_status_by_retry_on(status: int) -> None:
    """What is named is tried again and then onError's; the rest is onError's at once, but for what refuses
    the connection and for redirects."""
    found = failed(judge_http(answer(status), SANE))
    assert found.retryable == (status in (408, 429) or status >= 500)
    stops = status < 400 or status in (401, 403, 407)
    assert found.scope == ("configuration" if stops else "record")


@pytest.mark.parametrize("retry_on", [None, SANE, frozenset[int | str]()])
def test_every_2xx_is_a_success(retry_on: RetryOn | None) -> None:
    """Under any policy."""
    for status in range(200, 300):
        assert judge_http(answer(status, b'{"a":1}'), retry_on) == Answered({"a": 1})


@pytest.mark.parametrize("status", [302, 401, 403, 407])
def test_a_status_that_is_named_is_never_fatal(status: int) -> None:
    """Who names 403 says that it may pass, or is about the document."""
    assert reaction_to(status, frozenset({status})) == (True, "onError")


def test_an_empty_retry_on_tries_nothing_again() -> None:
    """Neither statuses nor broken connections."""
    nothing: RetryOn = frozenset()
    assert reaction_to(503, nothing) == (False, "onError")
    assert not judge_http_error(NotSent("x"), nothing).retryable


def test_retry_after_is_asked_for_where_there_is_a_retry() -> None:
    """And nowhere else."""
    assert failed(judge_http(answer(503), None)).asked_seconds == 3.0
    assert failed(judge_http(answer(400), None)).asked_seconds is None


ERRORS: list[tuple[Retryable, str, bool]] = [
    (NotSent("x"), "connection", False),
    (TimedOut("x"), "timeout", True),
    (UnknownOutcome("x"), "unknown", True),
]


@pytest.mark.parametrize(("error", "word", "is_unknown"), ERRORS)
def test_errors_of_transport(error: Retryable, word: str, is_unknown: bool) -> None:
    """By Atlas's table they are tried again and then stop the processor; `retryOn` names them by words."""
    found = judge_http_error(error, None)
    assert (found.retryable, found.scope, found.outcome_unknown) == (True, "configuration", is_unknown)
    named = judge_http_error(error, frozenset({word}))
    assert (named.retryable, named.scope) == (True, "function")
    others = frozenset({"connection", "timeout", "unknown", "5xx"} - {word})
    assert not judge_http_error(error, others).retryable


def test_an_answer_too_large_is_about_the_document() -> None:
    """The same request would have the same answer."""
    for retry_on in (None, SANE):
        found = judge_http_error(AnswerTooLarge("x"), retry_on)
        assert (found.retryable, found.scope) == (False, "record")


READ: list[tuple[bytes, str | None, Any]] = [
    (b"", "application/json", UNSET),
    (b"", "image/png", UNSET),
    (b'{"a":1}', None, {"a": 1}),
    (b'{"a":1}', "Application/JSON; charset=utf-8", {"a": 1}),
    (b'{"a":1}', "application/problem+json", {"a": 1}),
    (b"[1]", "text/json", [1]),
    (b"7", "application/json", 7),
    (b"plain", "text/plain; charset=utf-8", "plain"),
    (b'{"a":1}', "text/html", '{"a":1}'),
]


@pytest.mark.parametrize(("body", "content_type", "value"), READ)
def test_what_an_answer_is_read_as(body: bytes, content_type: str | None, value: Any) -> None:
    """By its Content-Type; JSON where it has none; 0 bytes set nothing."""
    assert judge_http(answer(200, body, content_type), None) == Answered(value)


UNREADABLE = [
    (b"no json", "application/json", "InvalidAnswer"),
    (b"no json", None, "InvalidAnswer"),
    (b"\x89PNG", "image/png", "UnsupportedContentType"),
    (b"<a/>", "application/xml", "UnsupportedContentType"),
]


@pytest.mark.parametrize(("body", "content_type", "error_class"), UNREADABLE)
def test_what_cannot_be_read_is_on_errors(body: bytes, content_type: str | None, error_class: str) -> None:
    """Without another attempt, under both policies."""
    for retry_on in (None, SANE):
        found = failed(judge_http(answer(200, body, content_type), retry_on))
        assert (found.error_class, found.scope, found.retryable) == (error_class, "record", False)


def test_texts_that_are_json_are_parsed_at_every_depth() -> None:
    """Objects and arrays, also within such texts; an id of digits stays a text."""
    body = rb'{"a":"{\"b\":\"[1,{\\\"c\\\":\\\"{}\\\"}]\"}","id":"12","bad":"{oops","list":["{}"]}'
    found = judge_http(answer(200, body), None, parse_strings=True)
    assert found == Answered({"a": {"b": [1, {"c": {}}]}, "id": "12", "bad": "{oops", "list": [{}]})
    plain = judge_http(answer(200, b'{"list":["{}"]}'), None)
    assert plain == Answered({"list": ["{}"]})


def test_texts_within_texts_have_a_bound() -> None:
    """Deeper than twenty levels they stay texts."""
    assert with_parsed_strings('["[]"]') == [[]]
    assert with_parsed_strings('["[]"]', 20) == '["[]"]'


def test_texts_are_parsed_no_deeper_than_a_document_may_be() -> None:
    """Texts within texts, 40 levels in each: the third begins within the 100 and would end beyond them."""
    text = "1"
    for _ in range(10):
        text = "[" * 40 + json.dumps(text) + "]" * 40
    found, levels = with_parsed_strings(text), 0
    while isinstance(found, list):
        found, levels = found[0], levels + 1
    assert levels == 80
    assert found.startswith("[" * 40)


def test_a_reason_is_cut_and_says_the_status() -> None:
    """A dead letter is no place for a page of HTML."""
    found = failed(judge_http(answer(400, b"x" * 5_000, "text/html"), None))
    assert found.reason.startswith("the answer was 400: xxx")
    assert len(found.reason) < 300
    assert "redirects are not followed" in failed(judge_http(answer(302), None)).reason
