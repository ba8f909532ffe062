"""`$currentDate $createObjectId $createUUID $rand`: what no document holds. The pipeline is pure: whoever
compiles it gives the functions that read a clock and draw numbers.

Their values differ when a record is read again, so a result that was written once may be written again with
another value after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bson import Binary, ObjectId
from bson.binary import UUID_SUBTYPE

from workers.errors import Poison
from workers.pipeline.nodes import ONCE, Call, Custom, Emitting, Example, Node, Operator, Parsing, Scope
from workers.pipeline.parse import describe
from workers.pipeline.values import date_from_ms

_UUID_BYTES: Final = 16
# Of an id, beside the four of its time.
_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Supply:
    """Where time and chance come from.

    `now_ms`: milliseconds since the epoch, by the system's clock. `random_bytes`: so many bytes that nobody
    can guess. `random`: a double from 0 up to, but not, 1.
    """

    now_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    random: Callable[[], float]


def _none(*_: Any) -> Any:
    raise Poison("time and chance were not supplied: this program was compiled to be checked, not to be run")


UNSUPPLIED: Final = Supply(_none, _none, _none)
"""For checking alone: the operators raise Poison."""


def _random_uuid(drawn: bytes) -> Binary:
    """A UUID of version 4 (random) and the variant of RFC 9562 out of 16 bytes."""
    marked = bytearray(drawn)
    marked[6] = marked[6] & 0x0F | 0x40
    marked[8] = marked[8] & 0x3F | 0x80
    return Binary(bytes(marked), UUID_SUBTYPE)


def _parse(operator: Callable[[], Operator], syntax: str) -> Callable[[Parsing, Any, str, Scope], Node]:
    def parse(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
        if spec not in ({}, []):
            return parsing.wrong(path, describe(spec), syntax)
        return Call(operator(), (), path)

    return parse


def _operator(name: str, function: Callable[[], Any], meaning: str) -> Operator:
    def emit(em: Emitting, call: Call) -> str:
        return em.once(function) if call.detail == ONCE else em.call(function)

    function.__name__ = name[1:]
    syntax = f"{{{name}: {{}}}}"
    made = Operator(
        name=name,
        signature=Custom(_parse(lambda: made, syntax), syntax),
        meaning=meaning,
        example=Example({"$ifNull": ["$known", {name: {}}]}, 5, {"known": 5}),
        function=function,
        emit=emit,
        folds=False,
    )
    return made


def operators(supply: Supply) -> Mapping[str, Operator]:
    """The operators, drawing from this supply."""

    def current_date() -> Any:
        return date_from_ms(supply.now_ms())

    def create_uuid() -> Binary:
        return _random_uuid(supply.random_bytes(_UUID_BYTES))

    def rand() -> float:
        return supply.random()

    def create_object_id() -> ObjectId:
        seconds = supply.now_ms() // 1000 & 0xFFFF_FFFF
        return ObjectId(seconds.to_bytes(4, "big") + supply.random_bytes(_ID_BYTES))

    return {
        "$currentDate": _operator(
            "$currentDate",
            current_date,
            "The time of the system's clock, had anew wherever it stands; `$$NOW` is one time for a batch.",
        ),
        "$createUUID": _operator("$createUUID", create_uuid, "A new random UUID."),
        "$createObjectId": _operator("$createObjectId", create_object_id, "A new ObjectId of this second."),
        "$rand": _operator("$rand", rand, "A random double from 0 up to, but not, 1."),
    }


OPERATORS: Final = operators(UNSUPPLIED)
