"""From type to type: `$convert`, its options, and hashes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Code, Decimal128, Int64

from tests.unit.pipeline.test_expressions import Row, same
from workers.errors import Invalid, Poison
from workers.pipeline import compile_expression

TEXT = "0e3b9063-8abd-4eb3-9f9f-f4c59fd30a60"
A_UUID = Binary(UUID(TEXT).bytes, 4)


def convert(**options: Any) -> dict[str, Any]:
    """`$convert` of the field `a`."""
    return {"$convert": {"input": "$a", **options}}


BINARY: list[Row] = [
    (convert(to="binData"), {"a": 99}, b"c\0\0\0"),
    (convert(to="binData", byteOrder="big"), {"a": Int64(1)}, b"\0\0\0\0\0\0\0\1"),
    (convert(to="binData", byteOrder="big"), {"a": 1.5}, b"\x3f\xf8\0\0\0\0\0\0"),
    (convert(to="int"), {"a": b"\xff\x7f"}, 32767),
    (convert(to="int", byteOrder="big"), {"a": b"\1\2"}, 258),
    (convert(to="long"), {"a": b"\xff"}, Int64(-1)),
    (convert(to="double", byteOrder="big"), {"a": b"\x3f\xc0\0\0"}, 1.5),
    (convert(to="binData", format="base64"), {"a": "aGk="}, b"hi"),
    (convert(to="binData", format="base64url"), {"a": "-_8"}, b"\xfb\xff"),
    (convert(to="binData", format="hex"), {"a": "6869"}, b"hi"),
    (convert(to="binData", format="utf8"), {"a": "hi"}, b"hi"),
    (convert(to={"type": "binData", "subtype": 4}, format="uuid"), {"a": TEXT}, A_UUID),
    (convert(to={"type": "binData", "subtype": 4}), {"a": A_UUID}, A_UUID),
    (convert(to="string", format="auto"), {"a": b"hi"}, "aGk="),
    (convert(to="string", format="auto"), {"a": A_UUID}, TEXT),
    (convert(to="string", format="base64url"), {"a": b"\xfb\xff"}, "-_8"),
    (convert(to="string", format="hex"), {"a": b"\xfb\xff"}, "FBFF"),
    (convert(to="string", format="$f"), {"a": b"hi", "f": "utf8"}, "hi"),
    ({"$toString": "$a"}, {"a": A_UUID}, TEXT),
    ({"$toUUID": "$a"}, {"a": TEXT.upper()}, A_UUID),
    ({"$toUUID": "$a"}, {}, None),
    ({"$toBool": "$a"}, {"a": b""}, True),
]
OPTIONS: list[Row] = [
    (convert(to=None), {"a": 1}, None),
    (convert(to=None, onNull="x"), {}, "x"),
    (convert(to="array"), {}, None),
    (convert(to="array", onError="e"), {"a": 1}, "e"),
    (convert(to=2.0), {"a": 1}, "1"),
    (convert(to={"type": "$t"}), {"a": 1, "t": "string"}, "1"),
    (convert(to="string", format=None), {"a": 42}, "42"),
    (convert(to="string", base=2), {"a": -5}, "-101"),
    (convert(to="string", base=16), {"a": 255}, "FF"),
    (convert(to="int", base=16), {"a": "ff"}, 255),
    (convert(to="int", base=8), {"a": "-17"}, -15),
    (convert(to="int", base=10), {"a": "17"}, 17),
    (convert(to="int", base=2, onError="e"), {"a": "12"}, "e"),
    (convert(to="binData", format="hex", onError="e"), {"a": "6"}, "e"),
    (convert(to="binData", format="base64", onError="e"), {"a": "aGk"}, "e"),
    (convert(to="binData", onError="e"), {"a": A_UUID}, "e"),
    (convert(to="string", format="utf8", onError="e"), {"a": b"\xff"}, "e"),
    (convert(to="string", format="uuid", onError="e"), {"a": b"hi"}, "e"),
    (convert(to="int", onError="e"), {"a": b"123"}, "e"),
]
NUMBERS: list[Row] = [
    ({"$toDecimal": "$a"}, {"a": "1" * 40}, Decimal128("1.111111111111111111111111111111111E+39")),
    ({"$toDecimal": "$a"}, {"a": "-Infinity"}, Decimal128("-Infinity")),
    ({"$toDecimal": "$a"}, {"a": True}, Decimal128("1")),
    ({"$toLong": "$a"}, {"a": "9223372036854775807"}, Int64(2**63 - 1)),
    ({"$toInt": "$a"}, {"a": Decimal128("-1.9")}, -1),
    ({"$toDate": "$a"}, {"a": -1.9}, datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
]


@pytest.mark.parametrize("row", [*BINARY, *OPTIONS, *NUMBERS], ids=str)
def test_conversions_give_what_the_server_gives(row: Row) -> None:
    """The value and its type."""
    expression, document, expected = row
    found = compile_expression(expression)(document)
    assert same(found, expected), f"gave {found!r}"


@pytest.mark.parametrize(
    ("expression", "value", "reason"),
    [
        (convert(to="array"), 1, "unsupported conversion from int to array"),
        (convert(to="date"), 1, "unsupported conversion from int to date"),
        (convert(to="binData"), True, "unsupported conversion from bool to binData"),
        (convert(to="binData", onError=1), "x", "format must be specified"),
        (convert(to="string", onError=1), b"x", "format must be specified"),
        (convert(to="binData", format="uuid"), TEXT, "belong together"),
        (convert(to="int"), b"123", "should be one of 1, 2, 4"),
        (convert(to="string", base=2), 1.5, "only whole numbers"),
        ({"$toUUID": "$a"}, TEXT.replace("-", ""), "the text is not uuid"),
        ({"$toDecimal": "$a"}, "1E+6145", "out of range"),
        ({"$toDecimal": "$a"}, "1E-9999", "out of range"),
        ({"$toDecimal": "$a"}, "1E+" + "9" * 30, "out of range"),
        ({"$toDouble": "$a"}, " 1", "no number"),
        ({"$toString": "$a"}, [1], "unsupported conversion from array to string"),
    ],
)
def test_what_cannot_be_converted_is_poison(expression: Any, value: Any, reason: str) -> None:
    """Of what `onError` stands in for, and of what it does not."""
    run = compile_expression(expression)
    with pytest.raises(Poison) as caught:
        run({"a": value})
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    "options",
    [
        {"to": "nope"},
        {"to": "nope", "onError": 1, "onNull": 1},
        {"to": 1.5},
        {"to": {"type": "binData", "subtype": 300}},
        {"to": {"type": "int", "sub": 1}},
        {"to": {"subtype": 1}},
        {"to": "string", "format": "nope"},
        {"to": "string", "format": True},
        {"to": "int", "byteOrder": "middle"},
        {"to": "int", "base": 7},
        {"to": Code("int")},
        {"to": "string", "format": Code("hex")},
    ],
    ids=str,
)
def test_wrong_options_are_refused_at_start_and_poison_when_data_names_them(options: dict[str, Any]) -> None:
    """Whatever the input is: `onError` and `onNull` do not stand in for them."""
    with pytest.raises(Invalid, match=r"^e\.\$convert"):
        compile_expression(convert(**options), "e")
    named = {name: f"$options.{name}" for name in options}
    with pytest.raises(Poison):
        compile_expression(convert(**named))({"options": options})


def test_hashes_are_those_of_a_hashed_index() -> None:
    """The first is what the manual prints for that date; numbers of one value hash alike, missing as null."""
    hashed = compile_expression({"$toHashedIndexKey": "$a"})
    date = datetime(2013, 2, 12, 22, 12, 57, 211000, tzinfo=UTC)
    assert same(hashed({"a": date}), Int64(-4185544074338741873))
    assert hashed({"a": 3}) == hashed({"a": 3.9}) == hashed({"a": Decimal128("3")})
    assert hashed({}) == hashed({"a": None})
    values = [1, "1", "\ud800", [1], {"0": 1}, {"a": 1}, True, b"1", float("inf"), Decimal128("-1E+6000")]
    assert len({hashed({"a": value}) for value in values}) == len(values)
