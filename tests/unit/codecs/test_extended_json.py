"""Type wrappers of Extended JSON: which are taken, which are refused, which are plain fields."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from topics import codecs

OID = "5f0000000000000000000001"

TAKEN = [
    ({"$oid": OID}, ObjectId(OID)),
    ({"$numberInt": "-5"}, -5),
    ({"$numberLong": "5"}, Int64(5)),
    ({"$numberLong": 5}, Int64(5)),
    ({"$numberDouble": "5"}, 5.0),
    ({"$numberDouble": "1E+3"}, 1000.0),
    ({"$numberDouble": "-Infinity"}, float("-inf")),
    ({"$numberDecimal": "1E-6176"}, Decimal128("1E-6176")),
    ({"$numberDecimal": "-Infinity"}, Decimal128("-Infinity")),
    ({"$date": "2020-01-01T00:00:00Z"}, datetime(2020, 1, 1, tzinfo=UTC)),
    ({"$date": "2020-01-01T00:00:00"}, datetime(2020, 1, 1, tzinfo=UTC)),
    ({"$date": "2020-01-01T02:00:00.5+02:00"}, datetime(2020, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
    ({"$date": "2020-01-01T02:00:00.123456789+0200"}, datetime(2020, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)),
    ({"$date": "2020-01-01T02:00:00-02"}, datetime(2020, 1, 1, 4, tzinfo=UTC)),
    ({"$date": {"$numberLong": "-1"}}, datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
    ({"$date": 1000}, datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)),
    ({"$date": {"$numberLong": "253402300800000"}}, DatetimeMS(253402300800000)),
    ({"$binary": {"base64": "AQI=", "subType": "00"}}, b"\x01\x02"),
    ({"$binary": {"base64": "AQI=", "subType": "5"}}, Binary(b"\x01\x02", 5)),
    ({"$binary": "AQI=", "$type": "80"}, Binary(b"\x01\x02", 128)),
    ({"$binary": "AQI=", "$type": 0}, b"\x01\x02"),
    ({"$timestamp": {"t": 4294967295, "i": 0}}, Timestamp(4294967295, 0)),
    ({"$regularExpression": {"pattern": "^a", "options": "im"}}, Regex("^a", "im")),
    ({"$regex": "^a", "$options": "i"}, Regex("^a", "i")),
    ({"$code": "f"}, Code("f")),
    ({"$code": "f", "$scope": {"n": {"$numberLong": "1"}}}, Code("f", {"n": Int64(1)})),
    ({"$symbol": "s"}, "s"),
    ({"$undefined": True}, None),
    ({"$minKey": 1}, MinKey()),
    ({"$maxKey": 1}, MaxKey()),
]

MALFORMED: list[object] = [
    {"$oid": "xyz"}, {"$oid": 5}, {"$oid": OID, "x": 1}, {"$oid": "5f 00000000000000000000 1"},
    {"$numberInt": 5}, {"$numberInt": "2147483648"}, {"$numberInt": "1.5"}, {"$numberInt": "1_0"},
    {"$numberLong": "9223372036854775808"}, {"$numberLong": 5.5}, {"$numberLong": True},
    {"$numberLong": " 5"},
    {"$numberDouble": 5.0}, {"$numberDouble": "inf"}, {"$numberDouble": "1e400"}, {"$numberDouble": ""},
    {"$numberDouble": "1" * 500}, {"$numberDecimal": 5}, {"$numberDecimal": "x"},
    {"$numberDecimal": "1" * 35},
    {"$numberDecimal": "1E+9999"}, {"$date": []}, {"$date": None}, {"$date": True}, {"$date": 5.5},
    {"$date": ""},
    {"$date": "2020-13-01T00:00:00Z"}, {"$date": "yesterday"}, {"$date": {"x": 1}}, {"$date": 0, "x": 1},
    {"$date": "0001-01-01T00:00:00+05:00"}, {"$date": 2**63}, {"$date": "2020-01-01T00:00:00Zx"},
    {"$binary": "AQI="}, {"$binary": {"base64": "!!!", "subType": "00"}}, {"$binary": {"base64": "AQI="}},
    {"$binary": {"base64": "AQI=", "subType": "zz"}}, {"$binary": {"base64": "é", "subType": "00"}},
    {"$binary": {"base64": "AQI=", "subType": "00", "x": 1}}, {"$binary": 5, "$type": "00"}, {"$uuid": "x"},
    {"$uuid": 5}, {"$timestamp": 5}, {"$timestamp": {"t": -1, "i": 0}}, {"$timestamp": {"t": 1}},
    {"$timestamp": {"t": True, "i": 0}}, {"$regularExpression": "a"},
    {"$regularExpression": {"pattern": "a"}},
    {"$regularExpression": {"pattern": "a", "options": "g"}}, {"$regex": "a", "$options": 5},
    {"$code": 5}, {"$code": "f", "$scope": 5}, {"$code": "f", "x": 1}, {"$symbol": 5}, {"$undefined": 1},
    {"$minKey": 2}, {"$maxKey": True},
]  # fmt: skip

PLAIN: list[object] = [
    {"$foo": 1}, {"$regex": "a"}, {"$regex": "a", "x": 1}, {"$regex": {"x": 1}, "$options": "i"},
    {"$type": "string"},
    {"$options": "i"}, {"$scope": {}}, {"$ref": "c", "$id": 1}, {"$ref": "c", "$id": 1, "$db": "d"},
    {"$ref": 5},
    {"$dbPointer": {"$ref": "c", "$id": 1}}, {"$gt": 5, "$lt": 9}, {"$": 1}, {"a$date": 1},
]  # fmt: skip


@pytest.mark.parametrize(("wrapper", "value"), TAKEN)
def test_a_wrapper_becomes_its_value(wrapper: object, value: object) -> None:
    """Wherever it stands, and of exactly the type it names."""
    found = codecs.decode_value(orjson.dumps([{"a": [wrapper]}]))[0]["a"][0]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("wrapper", MALFORMED)
def test_a_malformed_wrapper_is_poison(wrapper: object) -> None:
    """It is never passed on as a document that only looks like a value."""
    with pytest.raises(codecs.NotADocument, match=r"malformed Extended JSON at a: \$\w+ needs ") as caught:
        codecs.decode(orjson.dumps({"a": wrapper}))
    assert caught.value.kind == "malformed-extended-json"


@pytest.mark.parametrize("field", PLAIN)
def test_other_dollar_names_are_plain_fields(field: object) -> None:
    """References, query operators and unknown names pass through unchanged."""
    text = orjson.dumps({"a": field})
    assert codecs.decode(text) == {"a": field}
    assert codecs.encode(codecs.decode(text)) == text


def test_values_inside_plain_dollar_fields_are_still_resolved() -> None:
    """A reference keeps its form while its `$id` is an ObjectId."""
    assert codecs.decode(orjson.dumps({"r": {"$ref": "c", "$id": {"$oid": OID}}})) == {
        "r": {"$ref": "c", "$id": ObjectId(OID)}
    }


def test_key_order_is_kept() -> None:
    """Resolving values in place moves no field."""
    doc = codecs.decode(b'{"z":{"$numberLong":"1"},"a":{"y":1,"x":{"$numberInt":"2"}}}')
    assert list(doc) == ["z", "a"]
    assert list(doc["a"]) == ["y", "x"]
