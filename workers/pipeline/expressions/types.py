"""`$type $isNumber $convert $toInt $toLong $toDouble $toDecimal $toBool $toString $toObjectId $toDate`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bson import Int64

from workers.errors import Poison
from workers.pipeline.conversion import CONVERSIONS, TYPE_NUMBERS
from workers.pipeline.nodes import Call, Emitting, Example, Named, Operator, Positional, may_be_missing
from workers.pipeline.values import is_nullish, is_number, type_name, whole_number


def _nullable(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def converted(value: Any) -> Any:
        return None if value is None or is_nullish(value) else convert(value)

    converted.__name__ = convert.__name__
    return converted


def _to(name: str, to: str, meaning: str, example: Example) -> Operator:
    return Operator(
        name=name,
        signature=Positional(1, 1),
        meaning=f"{meaning}; null stays null.",
        example=example,
        function=_nullable(CONVERSIONS[to]),
    )


def _target(to: Any) -> Callable[[Any], Any] | None:
    """The conversion that `to` names, None where `to` is null."""
    if isinstance(to, dict):
        to = to.get("type")
    if is_nullish(to):
        return None
    number = whole_number(to)
    name = TYPE_NUMBERS.get(number, "") if number is not None else to
    found = CONVERSIONS.get(name) if isinstance(name, str) else None
    if found is None:
        known = ", ".join(CONVERSIONS)
        raise Poison(f"$convert: 'to' names no type that can be converted to; it can be {known}")
    return found


def _converted(value: Any, to: Any) -> Any:
    """(whether it worked, the value or the error): `onError` decides what an error means."""
    convert = _target(to)
    if convert is None:
        return True, None
    try:
        return True, convert(value)
    except Poison as error:
        return False, error


def _raise(error: Poison) -> Any:
    raise error


def _emit_convert(em: Emitting, call: Call) -> str:
    """`onNull` and `onError` are evaluated only when they are needed."""
    source, to, on_error, on_null = call.args
    assert source is not None
    assert to is not None
    value, target, found = em.assign(em.value(source)), em.value(to), em.name()
    with em.block(f"if {value} is None or {value} is M:"):
        em.line(f"{found} = {'None' if on_null is None else em.value(on_null)}")
    with em.block("else:"):
        worked = em.name()
        em.line(f"{worked}, {found} = {em.function(_converted)}({value}, {target})")
        with em.block(f"if not {worked}:"):
            if on_error is None:
                em.line(f"{em.function(_raise)}({found})")
            else:
                em.line(f"{found} = {em.value(on_error)}")
    return found


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator(
            name="$type",
            signature=Positional(1, 1),
            meaning="The name of the value's BSON type, `missing` where there is none.",
            example=Example({"$type": "$a"}, "int", {"a": 5}),
            function=type_name,
        ),
        Operator(
            name="$isNumber",
            signature=Positional(1, 1),
            meaning="Whether the value is an int, long, double or decimal.",
            example=Example({"$isNumber": "$a"}, True, {"a": 5}),
            function=is_number,
            gives_bool=True,
        ),
        Operator(
            name="$convert",
            signature=Named(("input", "to"), ("onError", "onNull")),
            meaning="The value as another type; `onError` and `onNull` stand in where there is none.",
            example=Example({"$convert": {"input": "$a", "to": "int", "onError": -1}}, -1, {"a": "five"}),
            emit=_emit_convert,
            gives_missing=lambda call: any(arg is not None and may_be_missing(arg) for arg in call.args[2:]),
        ),
        _to("$toInt", "int", "The value as an int", Example({"$toInt": "$a"}, 7, {"a": "7"})),
        _to("$toLong", "long", "The value as a long", Example({"$toLong": "$a"}, Int64(7), {"a": 7.9})),
        _to("$toDouble", "double", "The value as a double", Example({"$toDouble": "$a"}, 1.5, {"a": "1.5"})),
        _to(
            "$toDecimal",
            "decimal",
            "The value as a decimal",
            Example({"$type": {"$toDecimal": "$a"}}, "decimal", {"a": 1}),
        ),
        _to(
            "$toBool",
            "bool",
            "The truth of the value; text is true",
            Example({"$toBool": "$a"}, True, {"a": "false"}),
        ),
        _to("$toString", "string", "The value as text", Example({"$toString": "$a"}, "2.5", {"a": 2.5})),
        _to(
            "$toObjectId",
            "objectId",
            "The id that 24 hexadecimal digits write",
            Example(
                {"$toString": {"$toObjectId": "$a"}},
                "5ab9cbfa31c2ab715d42129e",
                {"a": "5ab9cbfa31c2ab715d42129e"},
            ),
        ),
        _to(
            "$toDate",
            "date",
            "The date of milliseconds, an ISO-8601 text or an id",
            Example({"$toString": {"$toDate": "$a"}}, "2024-01-31T00:00:00.000Z", {"a": "2024-01-31"}),
        ),
    )
}
