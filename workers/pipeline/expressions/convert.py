"""`$convert` and its short forms: `$toArray $toBool $toDate $toDecimal $toDouble $toInt $toLong $toObject
$toObjectId $toString $toUUID`.

What is wrong with `to`, `format`, `byteOrder` and `base` is an error whatever the input is. Only a value that
cannot be converted goes to `onError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from bson import Binary, Int64

from workers.errors import Poison
from workers.pipeline.binary import FORMATS, UUID_SUBTYPE, bytes_of, number_from_binary, text_of_bytes
from workers.pipeline.conversion import CONVERSIONS
from workers.pipeline.inconvertible import Inconvertible, unsupported
from workers.pipeline.nodes import (
    Call,
    Const,
    Emitting,
    Example,
    Named,
    Node,
    Operator,
    Positional,
    may_be_missing,
)
from workers.pipeline.radix import BASES, in_base, number_in_base
from workers.pipeline.values import is_nullish, is_number, type_name, whole_number

_TYPES: Final[Mapping[str, int]] = {
    "double": 1, "string": 2, "object": 3, "array": 4, "binData": 5, "undefined": 6, "objectId": 7, "bool": 8,
    "date": 9, "null": 10, "regex": 11, "dbPointer": 12, "javascript": 13, "symbol": 14,
    "javascriptWithScope": 15, "int": 16, "timestamp": 17, "long": 18, "decimal": 19, "minKey": -1,
    "maxKey": 127,
}  # fmt: skip
_NAMES: Final[Mapping[int, str]] = {number: name for name, number in _TYPES.items()}

_NUMBERS: Final = ("int", "long", "double")
_MAX_SUBTYPE: Final = 255

Convert = Callable[[Any], Any]


def _type_of(to: Any) -> tuple[str | None, int]:
    """The name of the type to convert to (None where it is null) and the subtype of binary data."""
    subtype = 0
    if isinstance(to, dict):
        for name in to:
            if name not in ("type", "subtype"):
                raise Poison(f"$convert: 'to' has no field {name!r}; it may be {{type, subtype}}")
        if "type" not in to:
            raise Poison("$convert: 'to' lacks the field 'type'")
        if not is_nullish(to.get("subtype")):
            found = whole_number(to["subtype"])
            if found is None or not 0 <= found <= _MAX_SUBTYPE:
                raise Poison("$convert: the subtype must be a whole number from 0 to 255")
            subtype = found
        to = to["type"]
    if is_nullish(to):
        return None, subtype
    name = to
    if is_number(to):
        number = whole_number(to)
        name = None if number is None else _NAMES.get(number)
    if name.__class__ is not str or name not in _TYPES:
        shown = to if to.__class__ is str else type_name(to)
        raise Poison(f"$convert: 'to' names no type ({shown!r}); it can be {', '.join(CONVERSIONS)}, binData")
    return name, subtype


def _choice(value: Any, field: str, choices: Iterable[Any]) -> Any:
    """One of several, None where it is null or left out."""
    if is_nullish(value):
        return None
    known = tuple(choices)
    found = whole_number(value) if is_number(value) else value
    if found.__class__ not in (str, int) or found not in known:
        raise Poison(f"$convert: {field!r} must be one of {', '.join(map(str, known))}")
    return found


def plan(to: Any, how: Any, order: Any, base: Any) -> Convert:
    """The conversion that the arguments describe; it raises Inconvertible. Raises Poison for wrong ones."""
    name, subtype = _type_of(to)
    text_format = _choice(how, "format", FORMATS)
    byte_order = _choice(order, "byteOrder", ("little", "big")) or "little"
    radix = _choice(base, "base", BASES)
    if name is None:
        return _to_null
    if name == "binData":
        return lambda value: bytes_of(value, subtype, text_format, byte_order)
    plain = CONVERSIONS.get(name, _to_nothing(name))

    def convert(value: Any) -> Any:
        kind = value.__class__
        if kind is bytes or kind is Binary:
            if name == "string":
                if text_format is None:
                    raise Poison(
                        "$convert: format must be specified when converting from 'binData' to 'string'"
                    )
                return text_of_bytes(value, text_format)
            if name in _NUMBERS:
                return number_from_binary(value, name, byte_order)
        elif radix is not None and name == "string" and is_number(value):
            return in_base(value, radix)
        elif radix is not None and kind is str and name in (*_NUMBERS, "decimal"):
            return number_in_base(value, radix, name)
        return plain(value)

    if name in (*_NUMBERS, "decimal", "string"):
        return convert
    return plain


def _to_null(value: Any) -> None:
    return None


def _to_nothing(name: str) -> Convert:
    """The conversion to a type that none leads to."""

    def refuse(value: Any) -> Any:
        raise unsupported(value, name)

    return refuse


def _tried(convert: Convert, value: Any) -> Any:
    """(whether it worked, the value or None)."""
    try:
        return True, convert(value)
    except Inconvertible:
        return False, None


def _known_plan(call: Call) -> Convert | None:
    """The conversion, where all that describes it is constant. Raises Poison."""
    described = call.args[1:5]
    if not all(node is None or isinstance(node, Const) for node in described):
        return None
    return plan(*(node.value if isinstance(node, Const) else None for node in described))


def _check(call: Call) -> Iterable[Poison]:
    try:
        _known_plan(call)
    except Poison as error:
        yield error


def _emit_convert(em: Emitting, call: Call) -> str:
    """`onNull` and `onError` are evaluated only when they are needed."""
    source, *described, on_error, on_null = call.args
    assert source is not None
    value, found = em.assign(em.value(source)), em.name()
    known = _plan_or_none(call)
    if known is not None:
        convert = em.function(known)
    else:
        convert = em.call(plan, *("None" if node is None else em.value(node) for node in described))
    with em.block(f"if {value} is None or {value} is M:"):
        em.line(f"{found} = {'None' if on_null is None else em.value(on_null)}")
    with em.block("else:"):
        if on_error is None:
            em.line(f"{found} = {convert}({value})")
        else:
            worked = em.name()
            em.line(f"{worked}, {found} = {em.function(_tried)}({convert}, {value})")
            with em.block(f"if not {worked}:"):
                em.line(f"{found} = {em.value(on_error)}")
    return found


def _plan_or_none(call: Call) -> Convert | None:
    try:
        return _known_plan(call)
    except Poison:
        return None  # said where it is evaluated: by folding, or by `check`


def _may_be_missing(call: Call) -> bool:
    instead: tuple[Node | None, ...] = call.args[5:]
    return any(node is not None and may_be_missing(node) for node in instead)


CONVERT: Final = Operator(
    name="$convert",
    signature=Named(("input", "to"), ("format", "byteOrder", "base", "onError", "onNull")),
    meaning="The value as another type; `onError` and `onNull` stand in where there is none.",
    example=Example({"$convert": {"input": "$a", "to": "int", "onError": -1}}, -1, {"a": "five"}),
    emit=_emit_convert,
    gives_missing=_may_be_missing,
    check=_check,
)


def _nullable(convert: Convert) -> Convert:
    def converted(value: Any) -> Any:
        return None if is_nullish(value) else convert(value)

    converted.__name__ = convert.__name__
    return converted


def _to_uuid(value: Any) -> Any:
    return bytes_of(value, UUID_SUBTYPE, "uuid", "little")


def _to(name: str, convert: Convert, meaning: str, example: Example) -> Operator:
    return Operator(
        name=name,
        signature=Positional(1, 1),
        meaning=f"{meaning}; null stays null.",
        example=example,
        function=_nullable(convert),
    )


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        CONVERT,
        _to("$toInt", CONVERSIONS["int"], "The value as an int", Example({"$toInt": "$a"}, 7, {"a": "7"})),
        _to(
            "$toLong",
            CONVERSIONS["long"],
            "The value as a long",
            Example({"$toLong": "$a"}, Int64(7), {"a": 7.9}),
        ),
        _to(
            "$toDouble",
            CONVERSIONS["double"],
            "The value as a double",
            Example({"$toDouble": "$a"}, 1.5, {"a": "1.5"}),
        ),
        _to(
            "$toDecimal",
            CONVERSIONS["decimal"],
            "The value as a decimal",
            Example({"$type": {"$toDecimal": "$a"}}, "decimal", {"a": 1}),
        ),
        _to(
            "$toBool",
            CONVERSIONS["bool"],
            "The truth of the value; text is true",
            Example({"$toBool": "$a"}, True, {"a": "false"}),
        ),
        _to(
            "$toString",
            CONVERSIONS["string"],
            "The value as text",
            Example({"$toString": "$a"}, "2.5", {"a": 2.5}),
        ),
        _to(
            "$toObjectId",
            CONVERSIONS["objectId"],
            "The id that 24 hexadecimal digits write",
            Example(
                {"$toString": {"$toObjectId": "$a"}},
                "5ab9cbfa31c2ab715d42129e",
                {"a": "5ab9cbfa31c2ab715d42129e"},
            ),
        ),
        _to(
            "$toDate",
            CONVERSIONS["date"],
            "The date of milliseconds, a text or an id",
            Example({"$toString": {"$toDate": "$a"}}, "2024-01-31T00:00:00.000Z", {"a": "2024-01-31"}),
        ),
        _to(
            "$toObject",
            CONVERSIONS["object"],
            "The document that a text of JSON holds, as it stands there",
            Example({"$toObject": "$a"}, {"id": 7}, {"a": '{"id": 7}'}),
        ),
        _to(
            "$toArray",
            CONVERSIONS["array"],
            "The array that a text of JSON holds, or the numbers of a vector",
            Example({"$toArray": "$a"}, [1, "x"], {"a": '[1, "x"]'}),
        ),
        _to(
            "$toUUID",
            _to_uuid,
            "The UUID that a text writes",
            Example(
                {"$toString": {"$toUUID": "$a"}},
                "0e3b9063-8abd-4eb3-9f9f-f4c59fd30a60",
                {"a": "0e3b9063-8abd-4eb3-9f9f-f4c59fd30a60"},
            ),
        ),
    )
}
