"""What one answer to a request of `$https` means for the document. Pure: tables and the decisions by them.

Two policies. Without `retryOn` it is Atlas's table: six statuses are about the document, every other one that
is no success stops the processor; those that may pass are tried again first. With `retryOn` exactly what it
names is tried again, and only what says that the connection itself is refused stops the processor.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from topics.codecs import json as codec
from workers.calls.contract import UNSET, Answered, CallFailure, Verdict, cut
from workers.errors import AnswerTooLarge, NotSent, Retryable, TimedOut
from workers.ports import InvokeAnswer

RetryOn = frozenset[int | str]

MAX_REASON_CHARACTERS: Final = 256
MAX_STRING_DEPTH: Final = 20
"""JSON texts within JSON texts; each level doubles the backslashes of the one below, so none goes deeper."""


class Reaction(NamedTuple):
    """`is_retried` within `retry`; when that is spent, or at once without it, `end` applies."""

    is_retried: bool
    end: Literal["onError", "fail"]


ABOUT_THE_DOCUMENT: Final = frozenset({400, 404, 410, 413, 414, 431})
"""Atlas's: `onError` applies to these and to no other status."""
MAY_PASS: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Tried again before they stop the processor: Atlas restarts a processor that failed by one."""
REFUSES_THE_CONNECTION: Final = frozenset({401, 403, 407})
"""No document of this connection can pass; dead-lettering all of them helps nobody."""


def reaction_to(status: int, retry_on: RetryOn | None) -> Reaction:
    """What happens on a status that is no 2xx."""
    if retry_on is None:
        if status in ABOUT_THE_DOCUMENT:
            return Reaction(False, "onError")
        return Reaction(status in MAY_PASS, "fail")
    if status in retry_on or f"{status // 100}xx" in retry_on:
        return Reaction(True, "onError")
    return Reaction(False, "fail" if status < 400 or status in REFUSES_THE_CONNECTION else "onError")


def judge_http(answer: InvokeAnswer, retry_on: RetryOn | None, *, parse_strings: bool = False) -> Verdict:
    """The verdict on a whole answer."""
    if 200 <= answer.status < 300:
        return _answered(answer, parse_strings=parse_strings)
    reaction = reaction_to(answer.status, retry_on)
    return CallFailure(
        _reason(answer),
        f"HTTP {answer.status}",
        "configuration" if reaction.end == "fail" else "record",
        reaction.is_retried,
        answer.retry_after_seconds if reaction.is_retried else None,
    )


def judge_http_error(error: Retryable, retry_on: RetryOn | None) -> CallFailure:
    """The verdict on a request without a whole answer."""
    kind = type(error).__name__
    if isinstance(error, AnswerTooLarge):
        return CallFailure(str(error), kind, "record", False, outcome_unknown=True)
    word = (
        "connection"
        if isinstance(error, NotSent)
        else "timeout"
        if isinstance(error, TimedOut)
        else "unknown"
    )
    is_retried = retry_on is None or word in retry_on
    scope: Literal["configuration", "function"] = "configuration" if retry_on is None else "function"
    return CallFailure(str(error), kind, scope, is_retried, outcome_unknown=word != "connection")


def _answered(answer: InvokeAnswer, *, parse_strings: bool) -> Verdict:
    if not answer.body:
        return Answered(UNSET)
    kind = (answer.content_type or "application/json").partition(";")[0].strip().lower()
    if kind in ("application/json", "text/json") or kind.endswith("+json"):
        try:
            value = codec.decode_value(answer.body)
        except ValueError as error:
            return CallFailure(f"the answer is no JSON: {error}", "InvalidAnswer", "record", False)
    elif kind.startswith("text/"):
        value = answer.body.decode("utf-8", "replace")
    else:
        reason = f"the answer is {kind[:MAX_REASON_CHARACTERS]!r}, neither JSON nor text"
        return CallFailure(reason, "UnsupportedContentType", "record", False)
    return Answered(with_parsed_strings(value) if parse_strings else value)


class _TooDeep(ValueError):
    """A text holds more levels than are left of a document's."""


def with_parsed_strings(value: Any, depth: int = 0, level: int = 0) -> Any:
    """A copy in which texts that are JSON objects or arrays are those, and so are the texts within them. A
    text such as `"12"` stays a text: an id must not become a number; so does one that would end below the
    levels that a document may have. `depth` counts texts within texts, `level` objects and arrays."""
    if value.__class__ is str:
        if depth >= MAX_STRING_DEPTH or value.lstrip()[:1] not in ("{", "["):
            return value
        try:
            return with_parsed_strings(codec.decode_value(value.encode()), depth + 1, level)
        except ValueError:
            return value
    if value.__class__ is not dict and value.__class__ is not list:
        return value
    if level >= codec.MAX_DEPTH:
        raise _TooDeep
    if value.__class__ is dict:
        return {name: with_parsed_strings(one, depth, level + 1) for name, one in value.items()}
    return [with_parsed_strings(one, depth, level + 1) for one in value]


def _reason(answer: InvokeAnswer) -> str:
    text = answer.body[: 4 * MAX_REASON_CHARACTERS].decode("utf-8", "replace").strip()
    said = cut(text, MAX_REASON_CHARACTERS)
    redirect = " (redirects are not followed)" if 300 <= answer.status < 400 else ""
    return f"the answer was {answer.status}{redirect}" + (f": {said}" if said else "")
