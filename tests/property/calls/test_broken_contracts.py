"""Each batch contract broken in each way: the outcome of every record, and what is counted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from bson import Int64
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.kafka import FakeRecord
from workers.calls.contract import UNSET
from workers.calls.contracts import batch_contract
from workers.calls.framing import INVALID_ANSWER, RECORD_FAILED, Reading
from workers.model import TopicPartition

A, B, C = "in/0/0", "in/0/1", "in/1/0"


@dataclass(slots=True)
class Entry:
    """A record as its contract sees it."""

    identity: str
    text: bytes
    group: str
    offset: int


BATCH = [Entry(A, b"1", "in-0", 0), Entry(B, b"2", "in-0", 1), Entry(C, b"3", "in-1", 0)]


def _read(contract: str, answer: Any) -> Reading:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return batch_contract(contract).read(body, BATCH)


def _records(*items: Any) -> dict[str, Any]:
    return {"records": list(items)}


def _ok(identity: str, value: Any = 7) -> dict[str, Any]:
    return {"id": identity, "result": "ok", "value": value}


FAIL, OK, RETRY, FOLLOW = "fail", "ok", "retry", "follow"
ALL_FAIL = [FAIL, FAIL, FAIL]
ALL_OK = [OK, OK, OK]

TABLE: list[tuple[str, str, Any, list[str], dict[str, int]]] = [
    # contract, what is wrong, the answer, the outcome of each record, what is counted
    ("records", "nothing", _records(_ok(A), _ok(B), _ok(C)), ALL_OK, {}),
    ("records", "another order", _records(_ok(C), _ok(A), _ok(B)), ALL_OK, {}),
    ("records", "missing id", _records(_ok(A), _ok(C)), [OK, FAIL, OK], {"missing_id": 1}),
    ("records", "no items", _records(), ALL_FAIL, {"missing_id": 3}),
    ("records", "unknown id", _records(_ok(A), _ok("in/9/9"), _ok(B), _ok(C)), ALL_OK, {"unknown_id": 1}),
    (
        "records",
        "extra items",
        _records(_ok(A), _ok(B), _ok(C), _ok("x"), {}),
        ALL_OK,
        {"unknown_id": 1, "wrong_type": 1},
    ),
    (
        "records",
        "duplicate id",
        _records(_ok(A), _ok(A), _ok(B), _ok(C)),
        [FAIL, OK, OK],
        {"duplicate_id": 1},
    ),
    ("records", "not JSON", b"plain text", ALL_FAIL, {"not_json": 1}),
    ("records", "0 bytes", b"", ALL_FAIL, {"not_json": 1}),
    ("records", "null", None, ALL_FAIL, {"wrong_type": 1}),
    ("records", "an array", [_ok(A), _ok(B), _ok(C)], ALL_FAIL, {"wrong_type": 1}),
    ("records", "`records` is a text", {"records": "all"}, ALL_FAIL, {"wrong_type": 1}),
    ("records", "another key", {"Records": [_ok(A)]}, ALL_FAIL, {"wrong_type": 1}),
    (
        "records",
        "items of wrong types",
        _records(1, None, [], _ok(C)),
        [FAIL, FAIL, OK],
        {"wrong_type": 3, "missing_id": 2},
    ),
    (
        "records",
        "ids of wrong types",
        _records({**_ok(A), "id": 0}, _ok(B), _ok(C)),
        [FAIL, OK, OK],
        {"wrong_type": 1, "missing_id": 1},
    ),
    (
        "records",
        "no result",
        _records({"id": A, "value": 1}, _ok(B), _ok(C)),
        [FAIL, OK, OK],
        {"wrong_type": 1},
    ),
    (
        "records",
        "another result",
        _records({"id": A, "result": "Ok"}, _ok(B), _ok(C)),
        [FAIL, OK, OK],
        {"wrong_type": 1},
    ),
    (
        "records",
        "results",
        _records({"id": A, "result": "drop"}, {"id": B, "result": "retry"}, {"id": C, "result": "fail"}),
        ["drop", RETRY, FAIL],
        {},
    ),
    (
        "records",
        "nested too deep",
        b'{"records":' + b"[" * 200 + b"]" * 200 + b"}",
        ALL_FAIL,
        {"not_json": 1},
    ),
    ("array", "nothing", [1, None, {"a": 1}], ALL_OK, {}),
    ("array", "wrong length: short", [1, 2], ALL_FAIL, {"wrong_length": 1}),
    ("array", "wrong length: extra items", [1, 2, 3, 4], ALL_FAIL, {"wrong_length": 1}),
    ("array", "no items", [], ALL_FAIL, {"wrong_length": 1}),
    ("array", "not JSON", b"[1,2,3", ALL_FAIL, {"not_json": 1}),
    ("array", "0 bytes", b"", ALL_FAIL, {"not_json": 1}),
    ("array", "null", None, ALL_FAIL, {"wrong_type": 1}),
    ("array", "an object", _records(_ok(A), _ok(B), _ok(C)), ALL_FAIL, {"wrong_type": 1}),
    ("array", "a text of three characters", "abc", ALL_FAIL, {"wrong_type": 1}),
    ("kafkaEvent", "nothing", {"batchItemFailures": []}, ALL_OK, {}),
    ("kafkaEvent", "0 bytes, as AWS takes it", b"", ALL_OK, {}),
    ("kafkaEvent", "null, as AWS takes it", None, ALL_OK, {}),
    ("kafkaEvent", "an empty object, as AWS takes it", {}, ALL_OK, {}),
    ("kafkaEvent", "a null list, as AWS takes it", {"batchItemFailures": None}, ALL_OK, {}),
    ("kafkaEvent", "what AWS's trigger does not look at", {"statusCode": 200}, ALL_OK, {}),
    (
        "kafkaEvent",
        "one failure",
        {"batchItemFailures": [{"itemIdentifier": {"partition": "in-1", "offset": 0}}]},
        [OK, OK, RETRY],
        {},
    ),
    (
        "kafkaEvent",
        "a failure, and what is behind it",
        {"batchItemFailures": [{"itemIdentifier": "in-0-0"}]},
        [RETRY, FOLLOW, OK],
        {},
    ),
    (
        "kafkaEvent",
        "duplicate id",
        {"batchItemFailures": [{"itemIdentifier": "in-0-1"}] * 2},
        [OK, RETRY, OK],
        {},
    ),
    (
        "kafkaEvent",
        "unknown id",
        {"batchItemFailures": [{"itemIdentifier": "in-0-9"}]},
        ALL_FAIL,
        {"unknown_id": 1},
    ),
    (
        "kafkaEvent",
        "unknown partition",
        {"batchItemFailures": [{"itemIdentifier": {"partition": "in-7", "offset": 0}}]},
        ALL_FAIL,
        {"unknown_id": 1},
    ),
    (
        "kafkaEvent",
        "an empty identifier",
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        ALL_FAIL,
        {"wrong_type": 1},
    ),
    (
        "kafkaEvent",
        "a null identifier",
        {"batchItemFailures": [{"itemIdentifier": None}]},
        ALL_FAIL,
        {"wrong_type": 1},
    ),
    ("kafkaEvent", "no identifier", {"batchItemFailures": [{"id": "in-0-0"}]}, ALL_FAIL, {"wrong_type": 1}),
    (
        "kafkaEvent",
        "an offset of the wrong type",
        {"batchItemFailures": [{"itemIdentifier": {"partition": "in-0", "offset": "0"}}]},
        ALL_FAIL,
        {"wrong_type": 1},
    ),
    (
        "kafkaEvent",
        "an item of the wrong type",
        {"batchItemFailures": ["in-0-0"]},
        ALL_FAIL,
        {"wrong_type": 1},
    ),
    (
        "kafkaEvent",
        "no list",
        {"batchItemFailures": {"itemIdentifier": "in-0-0"}},
        ALL_FAIL,
        {"wrong_type": 1},
    ),
    (
        "kafkaEvent",
        "a misspelled key",
        {"batchItemFailure": [{"itemIdentifier": "in-0-0"}]},
        ALL_FAIL,
        {"wrong_type": 1},
    ),
    ("kafkaEvent", "a list alone", [{"itemIdentifier": "in-0-0"}], ALL_FAIL, {"wrong_type": 1}),
    ("kafkaEvent", "not JSON", b"{", ALL_FAIL, {"not_json": 1}),
]


@pytest.mark.parametrize(
    ("contract", "what", "answer", "results", "violations"),
    TABLE,
    ids=[f"{row[0]}: {row[1]}" for row in TABLE],
)
def test_the_outcome_of_every_record(
    contract: str, what: str, answer: Any, results: list[str], violations: dict[str, int]
) -> None:
    """One outcome for each record, in the request's order; a broken rule is counted, and says so to those it
    fails."""
    reading = _read(contract, answer)
    assert [said.result for said in reading.answers] == results, what
    assert reading.violations == violations
    for said in reading.answers:
        if said.result == "ok":
            assert not said.reason
        elif said.result == "fail" and violations:
            assert said.error_class == INVALID_ANSWER
            assert said.reason
        elif said.result in ("retry", "follow", "fail"):
            assert said.error_class == RECORD_FAILED
            assert said.reason


def test_values_are_those_of_the_answer() -> None:
    """null is a value, no value is none; Extended JSON is read."""
    reading = _read(
        "records", _records(_ok(B, None), {"id": A, "result": "ok"}, _ok(C, {"$numberLong": "7"}))
    )
    assert [said.value for said in reading.answers] == [UNSET, None, Int64(7)]
    assert [said.value for said in _read("array", [1, None, "x"]).answers] == [1, None, "x"]


@pytest.mark.parametrize(
    ("error", "reason", "error_class"),
    [
        ("no stock", "no stock", RECORD_FAILED),
        ({"type": "NoStock", "message": "none left"}, "none left", "NoStock"),
        ({"errorType": "NoStock", "errorMessage": "none left"}, "none left", "NoStock"),
        ({"code": 7}, '{"code":7}', RECORD_FAILED),
        (None, "the function answered fail for this record", RECORD_FAILED),
        ("", "the function answered fail for this record", RECORD_FAILED),
        ({"type": INVALID_ANSWER, "message": "mine"}, "mine", RECORD_FAILED),
        ("x" * 2_000, "x" * 1_023 + "…", RECORD_FAILED),
    ],
)
def test_a_failed_record_says_why(error: Any, reason: str, error_class: str) -> None:
    """Texts as they are, objects as functions throw them, all cut."""
    reading = _read("records", _records({"id": A, "result": "fail", "error": error}, _ok(B), _ok(C)))
    assert (reading.answers[0].reason, reading.answers[0].error_class) == (reason, error_class)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.text(max_size=8)
    | st.sampled_from([A, B, "ok", "in-0-0"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["records", "id", "result", "value", "batchItemFailures", "itemIdentifier", "partition"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(answer=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=30))
def test_no_answer_leaves_a_record_without_an_outcome(answer: bytes) -> None:
    """Whatever a function answers: one outcome for each record, and no exception."""
    for contract in ("records", "array", "kafkaEvent"):
        reading = _read(contract, answer)
        assert len(reading.answers) == len(BATCH)
        assert {said.result for said in reading.answers} <= {"ok", "drop", "retry", "fail", "follow"}


def _record(**changes: Any) -> FakeRecord:
    return FakeRecord(TopicPartition("in", 3), 7, b'{"a":1}', **{"key": b"k", **changes})


def test_a_request_by_records_has_id_key_and_value() -> None:
    """The key as a text, null, or binary; the value as it was encoded."""
    contract = batch_contract("records")
    keys = [b'k"', None, b"\xff"]
    texts = [contract.entry("in/3/7", _record(key=key), b'{"a":1}') for key in keys]
    batch = [Entry("", text, "", 0) for text in texts]
    assert json.loads(contract.frame(batch)) == {
        "records": [
            {"id": "in/3/7", "key": key, "value": {"a": 1}}
            for key in ('k"', None, {"$binary": {"base64": "/w==", "subType": "00"}})
        ]
    }


def test_a_request_by_array_is_the_documents() -> None:
    """Nothing around them."""
    contract = batch_contract("array")
    batch = [Entry("", contract.entry("", _record(), text), "", 0) for text in (b'{"a":1}', b'{"a":2}')]
    assert contract.frame(batch) == b'[{"a":1},{"a":2}]'


def test_a_request_by_kafka_event_is_that_of_awss_trigger() -> None:
    """Grouped by topic and partition, key and value in base64, headers as signed bytes."""
    contract = batch_contract("kafkaEvent", "b-1:9092,b-2:9092")
    record = _record(headers=[("h", "ë".encode()), ("h", None)])
    entry = Entry("", contract.entry("in/3/7", record, b'{"a":1}'), contract.group(record), 7)
    other = Entry("", contract.entry("", _record(key=None), b"{}"), "x-0", 7)
    assert json.loads(contract.frame([entry, other, entry])) == {
        "eventSource": "SelfManagedKafka",
        "bootstrapServers": "b-1:9092,b-2:9092",
        "records": {
            "in-3": [
                {
                    "topic": "in",
                    "partition": 3,
                    "offset": 7,
                    "timestamp": 1_700_000_000_000,
                    "timestampType": "CREATE_TIME",
                    "key": "aw==",
                    "value": "eyJhIjoxfQ==",
                    "headers": [{"h": [-61, -85]}, {"h": None}],
                }
            ]
            * 2,
            "x-0": [json.loads(other.text)],
        },
    }
