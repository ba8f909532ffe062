"""Text as it is pasted from the MongoDB shell."""

from __future__ import annotations

import contextlib
import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.appfolder.limits import BadText
from workers.appfolder.mongosh import parse_mongosh

ARN = "arn:aws:lambda:region:account-id:function:function-name"

MINIMAL = """
{ $externalFunction: {
     connectionName: "myLambdaConnection",
     functionName: "arn:aws:lambda:region:account-id:function:function-name",
     as: "response",
   }}
"""

# As the documentation prints it: tabs, trailing commas, and a comma missing after "sync".
CUSTOMIZED_AS_PRINTED = """
{ $externalFunction: {
\t   connectionName: "myLambdaConnection",
\t   functionName: "arn:aws:lambda:region:account-id:function:function-name",
\t   execution: "sync"
\t   as: "response",
\t   onError: "fail",
\t   payload: [{$replaceRoot: { newRoot: "$fullDocument.payloadToSend" } }, { $addFields: { sum: { $sum: \
"$randomArray" }}}, { $project: { success: 1, sum: 1 }}],
   }}
"""
CUSTOMIZED = CUSTOMIZED_AS_PRINTED.replace('"sync"\n', '"sync",\n')


def refused(text: str) -> BadText:
    with pytest.raises(BadText) as caught:
        parse_mongosh(text)
    return caught.value


def test_the_minimal_request_loads_as_pasted() -> None:
    """A lone stage with a trailing comma is a pipeline of one stage."""
    assert parse_mongosh(MINIMAL) == [
        {"$externalFunction": {"connectionName": "myLambdaConnection", "functionName": ARN, "as": "response"}}
    ]


def test_the_customized_request_loads_once_its_comma_is_mended() -> None:
    """Tabs, unquoted operators and trailing commas as the documentation prints them."""
    (stage,) = parse_mongosh(CUSTOMIZED)
    assert stage["$externalFunction"] == {
        "connectionName": "myLambdaConnection", "functionName": ARN, "execution": "sync", "as": "response",
        "onError": "fail",
        "payload": [
            {"$replaceRoot": {"newRoot": "$fullDocument.payloadToSend"}},
            {"$addFields": {"sum": {"$sum": "$randomArray"}}},
            {"$project": {"success": 1, "sum": 1}},
        ],
    }  # fmt: skip
    assert list(stage["$externalFunction"])[:3] == ["connectionName", "functionName", "execution"]


def test_the_missing_comma_is_shown_where_it_is_missing() -> None:
    """The text as printed is refused at the word after the gap."""
    error = refused(CUSTOMIZED_AS_PRINTED)
    assert error.place == "line 6, column 5"
    assert error.found == "'as'"
    assert error.expected == "a comma or } after the value of execution"


def test_a_whole_session_is_read_with_its_variables() -> None:
    """Variables, comments and sp.createStreamProcessor give name, pipeline and options."""
    text = """
    // where it comes from
    let source = { $source: { connectionName: "kafka", topic: 'orders' } };
    keep = { $match: { total: { $gte: 10 } } }   /* only
       large ones */
    sp.createStreamProcessor("orders", [source, keep,], { dlq: { connectionName: "kafka", topic: "dead" } });
    """
    assert parse_mongosh(text) == {
        "name": "orders",
        "pipeline": [
            {"$source": {"connectionName": "kafka", "topic": "orders"}}, {"$match": {"total": {"$gte": 10}}},
        ],
        "options": {"dlq": {"connectionName": "kafka", "topic": "dead"}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("// nothing\n", None),
        ("[]", []),
        ("[{a: 1}, {b: 2},];", [{"a": 1}, {"b": 2}]),
        ("{$match: {}}, {$emit: {}}", [{"$match": {}}, {"$emit": {}}]),
        ("{name: 'x', pipeline: []}", {"name": "x", "pipeline": []}),
        ("sp.process([{$source: {}}])", {"pipeline": [{"$source": {}}]}),
        ("const pipeline = [{$source: {}}]", [{"$source": {}}]),
    ],
)
def test_what_a_file_may_hold(text: str, value: Any) -> None:
    """A list of stages, stages one after another, a document, or the call that makes a processor."""
    assert parse_mongosh(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-12", -12), ("+3", 3), ("0x1F", 31), ("0b101", 5), ("1_000", 1000), ("1.0", 1),
        ("1e3", 1000),
        ("2147483647", 2**31 - 1), ("2147483648", 2.0**31), ("1.5", 1.5), (".5", 0.5), ("5.", 5),
        ("-2.5e-1", -0.25),
        ("Infinity", math.inf), ("-Infinity", -math.inf), ("true", True), ("null", None),
        (r'"it\'s \x41\u00e9\u{1F600}\n"', "it's Aé😀\n"), (r"'\ud83d\ude00'", "😀"), ('"a\\\nb"', "ab"),
        ("/^a\\/[/]+/im", Regex("^a\\/[/]+", "im")), ('RegExp("^a", "i")', Regex("^a", "i")),
        ('ISODate("2024-05-01")', datetime(2024, 5, 1, tzinfo=UTC)),
        ('ISODate("2024-05-01T10:00:00.1234+02:00")', datetime(2024, 5, 1, 8, 0, 0, 123000, tzinfo=UTC)),
        ("new Date(1500)", datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=UTC)),
        ('new Date("2024-05-01T10:00:00Z")', datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ('ObjectId("64b7f0c2a1b2c3d4e5f60718")', ObjectId("64b7f0c2a1b2c3d4e5f60718")),
        ('new ObjectId("64b7f0c2a1b2c3d4e5f60718")', ObjectId("64b7f0c2a1b2c3d4e5f60718")),
        ('NumberLong("9223372036854775807")', Int64(2**63 - 1)), ("NumberLong(5)", Int64(5)),
        ("NumberInt(7)", 7),
        ('NumberDecimal("1.10")', Decimal128("1.10")), ("Double(1)", 1.0),
        ('UUID("00112233-4455-6677-8899-aabbccddeeff")',
         Binary(bytes.fromhex("00112233445566778899aabbccddeeff"), 4)),
        ('BinData(0, "aGk=")', b"hi"), ('HexData(5, "6869")', Binary(b"hi", 5)),
        ("Timestamp(1, 2)", Timestamp(1, 2)), ("Timestamp({t: 1, i: 2})", Timestamp(1, 2)),
        ("MinKey", MinKey()), ("MaxKey()", MaxKey()),
    ],
)  # fmt: skip
def test_values_are_what_the_shell_would_send(text: str, value: Any) -> None:
    """Whole numbers of 32 bits are integers, other numbers doubles, constructors BSON values."""
    found = parse_mongosh(f"[{text}]")[0]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "place", "found", "expected"),
    [
        ("[{a: 1},\n {b: 2}", "line 2, column 8", "the end of the text", "a comma or ] after an element"),
        ("{a: 1 b: 2}", "line 1, column 7", "'b'", "a comma or } after the value of a"),
        ("{a 1}", "line 1, column 4", "'1'", "a colon after the key a"),
        ("{a: }", "line 1, column 5", "'}'", "a value"),
        ("{a: 1, a: 2}", "line 1, column 8", "the key 'a' a second time", "each key once"),
        ("[1,, 2]", "line 1, column 4", "','", "a hole"),
        ("[...stages]", "line 1, column 2", "spread", "written out"),
        ("{[key]: 1}", "line 1, column 2", "computed key", "a name or a text"),
        ("{a: 60 * 1000}", "line 1, column 8", "'*'", "nothing is computed"),
        ("{a: `x`}", "line 1, column 5", "template text", "quotes"),
        ("{a: “x”}", "line 1, column 5", "“", "plain double quotes"),
        ('{a: "x\n"}', "line 1, column 5", "a text without its end", "same line"),
        ("/* x", "line 1, column 1", "a comment without its end", "*/"),
        ("{a: /x", "line 1, column 5", "a slash", "/pattern/i"),
        ("{a: /x/g}", "line 1, column 5", "the regular expression", "i, m, s and u"),
        ("{a: ISOdate('x')}", "line 1, column 5", "ISOdate", "did you mean ISODate?"),
        ("{a: ISODate()}", "line 1, column 5", "ISODate", "$currentDate"),
        ("{a: new Date()}", "line 1, column 9", "Date", "$currentDate"),
        ("{a: Date('2024-01-01')}", "line 1, column 5", "without new", "new Date(...)"),
        ("{a: new Date('2024-01-01T00:00:00')}", "line 1, column 9", "Date", "a Z or an offset"),
        ("{a: ISODate('2024-13-01')}", "line 1, column 5", "ISODate", "a date that exists"),
        ("{a: ObjectId()}", "line 1, column 5", "ObjectId", "24 hexadecimal digits"),
        ("{a: NumberInt(2147483648)}", "line 1, column 5", "NumberInt", "32 bits"),
        ("{a: 9007199254740993}", "line 1, column 5", "would round", "NumberLong"),
        ("{a: 12n}", "line 1, column 5", "BigInt", 'NumberLong("12")'),
        ("{a: 012}", "line 1, column 5", "012", "a decimal number"),
        ("{a: 5px}", "line 1, column 5", "5px", "a decimal number"),
        ("{a: 1e999}", "line 1, column 5", "1e999", "a double can hold"),
        ("{a: undefined}", "line 1, column 5", "undefined", "null"),
        ("{a: function () {}}", "line 1, column 5", "a function", "functions/"),
        ("{a: sourc}", "line 1, column 5", "the name sourc", "in quotes"),
        ('{a: "\\ud83d"}', "line 1, column 5", "surrogate", "both"),
        ('{a: "\\u12"}', "line 1, column 6", "escape", "hexadecimal"),
        ("sp.orders.start()", "line 1, column 4", "sp.orders", "sp.createStreamProcessor"),
        ("sp.createStreamProcessor('a')", "line 1, column 4", "1 arguments", "(name, pipeline, options)"),
        ("{$match: {}} {$emit: {}}", "line 1, column 14", "'{'", "a comma between stages"),
        ("[" * 101, "line 1, column 101", "more than 100 levels", "fewer"),
        ("{a: #}", "line 1, column 5", "the character '#'", "MongoDB shell"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, place: str, found: str, expected: str) -> None:
    """Line and column, what stands there, what would be right."""
    error = refused(text)
    assert error.place == place
    assert found in error.found
    assert expected in error.expected


def test_variables_cannot_grow_without_bound() -> None:
    """Lists of lists of variables are counted in full, and refused in no time."""
    lines = ["a0 = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n} = [{', '.join([f'a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "more than 200,000 values" in refused("\n".join(lines)).found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.floats(-1e300, 1e300)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_json_is_read_as_it_is(value: Any) -> None:
    """JSON within a list means the same to this parser, whole doubles being integers as in the shell."""
    assert parse_mongosh(json.dumps([value])) == [value]


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("{}[]():,;\"'$ab01.-+/\\\n\t`*u")))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the parser fail in another way."""
    with contextlib.suppress(BadText):
        assert json.dumps(parse_mongosh(text), default=str)
