"""What a batch contract is: how records become one request, and its answer one outcome for each record. Pure.

A record is encoded once, when it comes; a request joins what is there. So the size of a batch is known to
the byte before it is sent: `frame_bytes`, the records, a comma between two, and what each group costs.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from workers.calls.contract import UNSET, cut
from workers.ports import SourceRecord

Result = Literal["ok", "drop", "retry", "fail", "follow"]
"""`follow`: it was not refused itself, but a record before it has to be tried again, and it goes with that
one: no attempt of its own is counted."""

INVALID_ANSWER: Final = "InvalidAnswer"
"""The error class of a record that has no valid outcome in its batch's answer."""

RECORD_FAILED: Final = "RecordFailed"
"""The error class of a record that the function itself calls failed, when it names no other."""

Violation = Literal["not_json", "wrong_type", "wrong_length", "missing_id", "unknown_id", "duplicate_id"]


class RecordAnswer:
    """What the answer to a batch says of one record. `value` is UNSET where it says none."""

    __slots__ = ("error_class", "reason", "result", "value")

    def __init__(self, result: Result, value: Any = UNSET, reason: str = "", error_class: str = "") -> None:
        self.result = result
        self.value = value
        self.reason = reason
        self.error_class = error_class

    def __repr__(self) -> str:
        return f"RecordAnswer({self.result!r}, {self.value!r}, {self.reason!r}, {self.error_class!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordAnswer) and repr(self) == repr(other)

    __hash__ = None  # type: ignore[assignment]


@dataclass(slots=True)
class Reading:
    """The answer to a batch: one outcome for each record, in the order of the request, and how often the
    contract was broken in which way."""

    answers: list[RecordAnswer]
    violations: dict[Violation, int] = field(default_factory=dict)

    def broken(self, violation: Violation, count: int = 1) -> None:
        """Count a broken rule."""
        self.violations[violation] = self.violations.get(violation, 0) + count


class Framed(Protocol):
    """A record as its batch sees it: its id, its encoded entry, the group it stands in, its offset."""

    identity: str
    text: bytes
    group: str
    offset: int


class BatchContract(Protocol):
    """One way to put records into a request.

    `keeps_order`: it is a list that a function works through from front to back, so that it may hold several
    records of one `partitionBy` value. `is_grouped`: records stand in lists of their own by `group`; else
    every group is "" and costs nothing.
    """

    name: str
    keeps_order: bool
    is_grouped: bool
    frame_bytes: int

    def entry(self, identity: str, record: SourceRecord, document: bytes) -> bytes:
        """One record, encoded, as it stands in the request. `document` is what to send of it."""
        ...

    def group(self, record: SourceRecord) -> str:
        """The name of the list within the request that the record belongs to."""
        ...

    def group_bytes(self, group: str) -> int:
        """What the first record of a group costs beside itself."""
        ...

    def single(self, item: Framed) -> Hashable | None:
        """What no two records of a batch may have in common, or the answer could not tell them apart."""
        ...

    def frame(self, batch: Sequence[Framed]) -> bytes:
        """The request."""
        ...

    def read(self, body: bytes, batch: Sequence[Framed]) -> Reading:
        """The outcome of every record. Never raises for what a function answers."""
        ...


def invalid(reason: str) -> RecordAnswer:
    """The outcome of a record that the answer says nothing valid about."""
    return RecordAnswer("fail", UNSET, cut(reason), INVALID_ANSWER)


def all_invalid(count: int, violation: Violation, reason: str) -> Reading:
    """An answer in which no record's outcome can be found."""
    reading = Reading([invalid(reason) for _ in range(count)])
    reading.broken(violation)
    return reading


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return f"an array of {len(value)}"
        case dict():
            return "an object"
    return f"a {type(value).__name__}"
