"""What one answer of the Lambda Invoke API means for the document that was sent. Pure.

A thrown exception answers 200 with `X-Amz-Function-Error`, so the status alone never says that a call went
well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from topics.codecs import json as codec
from workers.errors import AnswerTooLarge, NotSent, Retryable, TimedOut
from workers.ports import InvokeAnswer

Execution = Literal["sync", "async"]

MAX_REASON_CHARACTERS: Final = 1_024
MAX_STACK_LINES: Final = 20
MAX_CLASS_CHARACTERS: Final = 128
"""A function names its own errors; the name becomes a label and part of a dead letter."""


class Unset:
    """The answer had 0 bytes: `as` is not set."""

    __slots__ = ()


UNSET: Final = Unset()


@dataclass(frozen=True, slots=True)
class Answered:
    """The call went well. `value` is the parsed answer, or UNSET."""

    value: Any


@dataclass(frozen=True, slots=True)
class CallFailure:
    """The call did not go well.

    `error_class` is the name of the error (`TooManyRequestsException`, the function's own `errorType`,
    `TimedOut`), `scope` what it is about (record, function, account, worker), `retryable` whether the same
    request may be sent again, `outcome_unknown` whether the function may have run, `stack` the lines that the
    function's runtime gave with its error.
    """

    reason: str
    error_class: str
    scope: Literal["record", "batch", "function", "account", "worker"]
    retryable: bool
    asked_seconds: float | None = None
    outcome_unknown: bool = False
    is_function_error: bool = False
    stack: tuple[str, ...] = ()


Verdict = Answered | CallFailure


def judge(answer: InvokeAnswer, execution: Execution, *, envelope: bool = False) -> Verdict:
    """The verdict on a whole answer."""
    failure = failure_of(answer, execution)
    if failure is not None:
        return failure
    if execution == "async":
        return Answered(UNSET)
    return Answered(_envelope(answer) if envelope else parse(answer.body))


def failure_of(answer: InvokeAnswer, execution: Execution) -> CallFailure | None:
    """Why the call failed, or None where it went well; then its body is the function's answer."""
    if answer.status == 429 or answer.status >= 500:
        name = "TooManyRequestsException" if answer.status == 429 else f"HTTP {answer.status}"
        return CallFailure(
            _api_reason(answer),
            _class(answer.error_type or name),
            "account",
            True,
            answer.retry_after_seconds,
        )
    if not 200 <= answer.status < 300:
        name = answer.error_type or f"HTTP {answer.status}"
        return CallFailure(_api_reason(answer), _class(name), _scope(answer), False)
    if execution == "sync" and answer.function_error is not None:
        return _function_failure(answer)
    return None


def judge_error(error: Retryable) -> CallFailure:
    """The verdict on a call without a whole answer."""
    kind = type(error).__name__
    if isinstance(error, AnswerTooLarge):  # the same request would have the same answer
        return CallFailure(str(error), kind, "record", False, outcome_unknown=True)
    scope: Literal["worker", "function"] = "function" if isinstance(error, TimedOut) else "worker"
    return CallFailure(str(error), kind, scope, True, outcome_unknown=not isinstance(error, NotSent))


def parse(body: bytes) -> Any:
    """An answer's body as a value: UNSET for 0 bytes, the JSON (or Extended JSON) value, else its text."""
    if not body:
        return UNSET
    try:
        return codec.decode_value(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _function_failure(answer: InvokeAnswer) -> CallFailure:
    value = parse(answer.body)
    detail = value if isinstance(value, dict) else {}
    name = _class(str(detail.get("errorType") or answer.function_error))
    message = str(detail.get("errorMessage") if "errorMessage" in detail else "" if value is UNSET else value)
    reason = _cut(f"{name}: {message}")
    return CallFailure(reason, name, "record", False, is_function_error=True, stack=_stack(detail))


def _stack(detail: dict[str, Any]) -> tuple[str, ...]:
    """`trace` of JavaScript's runtime, `stackTrace` of Python's and Java's; bounded, the top first."""
    found = detail.get("trace", detail.get("stackTrace"))
    if not isinstance(found, list):
        return ()
    return tuple(_cut(str(line).rstrip()) for line in found[:MAX_STACK_LINES])


def _envelope(answer: InvokeAnswer) -> dict[str, Any]:
    """The whole Invoke response, with the names that the AWS SDK gives its parts."""
    value = parse(answer.body)
    whole: dict[str, Any] = {"StatusCode": answer.status}
    if answer.executed_version is not None:
        whole["ExecutedVersion"] = answer.executed_version
    if answer.log_tail is not None:
        whole["LogResult"] = answer.log_tail
    if value is not UNSET:
        whole["Payload"] = value
    return whole


def _api_reason(answer: InvokeAnswer) -> str:
    value = parse(answer.body)
    detail = value if isinstance(value, dict) else {}
    message = detail.get("Message") or detail.get("message") or detail.get("errorMessage")
    if message is None:
        message = "" if value is UNSET else value
    throttle = f" ({detail['Reason']})" if isinstance(detail.get("Reason"), str) else ""
    return _cut(
        f"{answer.error_type or 'the function service'} answered {answer.status}{throttle}: {message}"
    )


def _scope(answer: InvokeAnswer) -> Literal["record", "function", "worker"]:
    if answer.status in (400, 413, 415):
        return "record"
    return "worker" if answer.status in (401, 403) else "function"


def _cut(text: str, max_characters: int = MAX_REASON_CHARACTERS) -> str:
    return text if len(text) <= max_characters else text[: max_characters - 1] + "…"


def _class(name: str) -> str:
    return _cut(name, MAX_CLASS_CHARACTERS)
