"""What one answer of the Lambda Invoke API means for the document that was sent. Pure.

A thrown exception answers 200 with `X-Amz-Function-Error`, so the status alone never says that a call went
well. Whose fault a failure is and what to do about it is the error table's to say (`error_table`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from topics.codecs import json as codec
from workers.calls.error_table import ErrorEntry, ErrorTable, Reaction, Scope
from workers.errors import Retryable
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
    `TimedOut`), `scope` whose fault it is, `retryable` whether the same request may be sent again,
    `asked_seconds` how long the other side asked to wait, `outcome_unknown` whether the function may have run
    without our having an answer, `stack` the lines that the function's runtime gave with its error. `entry`
    is the row of the error table; a record that the function itself called failed has none.
    """

    reason: str
    error_class: str
    scope: Scope
    retryable: bool
    asked_seconds: float | None = None
    outcome_unknown: bool = False
    is_function_error: bool = False
    stack: tuple[str, ...] = ()
    entry: ErrorEntry | None = None

    @property
    def reaction(self) -> Reaction:
        """What to do first."""
        return "onError" if self.entry is None else self.entry.reaction

    @property
    def retries(self) -> int | None:
        """How often the request may be sent again; None: as often as the stage's `retry` says."""
        return None if self.entry is None else self.entry.retries


Verdict = Answered | CallFailure


def judge(
    answer: InvokeAnswer, execution: Execution, table: ErrorTable, *, envelope: bool = False
) -> Verdict:
    """The verdict on a whole answer."""
    failure = failure_of(answer, execution, table)
    if failure is not None:
        return failure
    if execution == "async":
        return Answered(UNSET)
    return Answered(_envelope(answer) if envelope else parse(answer.body))


def failure_of(answer: InvokeAnswer, execution: Execution, table: ErrorTable) -> CallFailure | None:
    """Why the call failed, or None where it went well; then its body is the function's answer."""
    if 200 <= answer.status < 300:
        is_failure = execution == "sync" and answer.function_error is not None
        return _function_failure(answer, table) if is_failure else None
    detail = _detail(answer)
    reason = detail.get("Reason")
    entry = table.api(answer.status, answer.error_type, reason if isinstance(reason, str) else None)
    if entry.reaction == "accept" and execution == "async":
        return None
    return CallFailure(
        _api_reason(answer, detail),
        _class(answer.error_type or _name(answer.status)),
        entry.scope,
        _is_retryable(entry, answer.status),
        answer.retry_after_seconds,
        outcome_unknown=entry.outcome == "unknown",
        entry=entry,
    )


def judge_error(error: Retryable, table: ErrorTable) -> CallFailure:
    """The verdict on a call without a whole answer."""
    kind = type(error).__name__
    entry = table.transport(kind)
    is_unknown = entry.outcome == "unknown"
    return CallFailure(
        str(error), kind, entry.scope, _is_retryable(entry, 0), outcome_unknown=is_unknown, entry=entry
    )


def parse(body: bytes) -> Any:
    """An answer's body as a value: UNSET for 0 bytes, the JSON (or Extended JSON) value, else its text."""
    if not body:
        return UNSET
    try:
        return codec.decode_value(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _is_retryable(entry: ErrorEntry, status: int) -> bool:
    """Whether one that cannot hold sends the request again: what the service calls its own fault."""
    if entry.reaction == "hold":
        return status >= 500
    return "retry" in (entry.reaction, entry.then) or entry.reaction in ("throttle", "refresh")


def _name(status: int) -> str:
    return "TooManyRequestsException" if status == 429 else f"HTTP {status}"


def _detail(answer: InvokeAnswer) -> dict[str, Any]:
    value = parse(answer.body)
    return value if isinstance(value, dict) else {}


def _function_failure(answer: InvokeAnswer, table: ErrorTable) -> CallFailure:
    value = parse(answer.body)
    detail = value if isinstance(value, dict) else {}
    name = _class(str(detail.get("errorType") or answer.function_error))
    message = str(detail.get("errorMessage") if "errorMessage" in detail else "" if value is UNSET else value)
    reason = cut(f"{name}: {message}")
    entry = table.function(name, message)
    return CallFailure(
        reason, name, entry.scope, _is_retryable(entry, 200), outcome_unknown=entry.outcome == "unknown",
        is_function_error=True, stack=_stack(detail), entry=entry,
    )  # fmt: skip


def _stack(detail: dict[str, Any]) -> tuple[str, ...]:
    """`trace` of JavaScript's runtime, `stackTrace` of Python's and Java's; bounded, the top first."""
    found = detail.get("trace", detail.get("stackTrace"))
    if not isinstance(found, list):
        return ()
    return tuple(cut(str(line).rstrip()) for line in found[:MAX_STACK_LINES])


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


def _api_reason(answer: InvokeAnswer, detail: dict[str, Any]) -> str:
    message = detail.get("Message") or detail.get("message") or detail.get("errorMessage")
    if message is None:
        value = parse(answer.body)
        message = "" if value is UNSET else value
    reason = f" ({detail['Reason']})" if isinstance(detail.get("Reason"), str) else ""
    return cut(f"{answer.error_type or 'the function service'} answered {answer.status}{reason}: {message}")


def cut(text: str, max_characters: int = MAX_REASON_CHARACTERS) -> str:
    """A text of at most so many characters, the last of them an ellipsis where something is left out."""
    return text if len(text) <= max_characters else text[: max_characters - 1] + "…"


def _class(name: str) -> str:
    return cut(name, MAX_CLASS_CHARACTERS)
