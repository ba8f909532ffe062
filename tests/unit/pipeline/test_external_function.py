"""`$externalFunction`: fields and rules of Atlas, extensions, and what comes out as a call site."""

from __future__ import annotations

from typing import Any

import pytest

from workers.errors import Invalid
from workers.model import Refused
from workers.pipeline import compile_processor, compile_stages
from workers.pipeline.program import BatchSpec, BreakerSpec, CallSite, HoldSpec, Program, RetrySpec

SOURCE = {"$source": {"connectionName": "kafka", "topic": "orders"}}
EMIT = {"$emit": {"connectionName": "kafka", "topic": "results"}}
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:score"


def program(fields: dict[str, Any], *after: dict[str, Any]) -> Program:
    """A processor around one call."""
    call = {"connectionName": "aws", "functionName": "score", **fields}
    return compile_processor([SOURCE, {"$externalFunction": call}, *(after or (EMIT,))], "processors/p.yaml")


def site(fields: dict[str, Any], *after: dict[str, Any]) -> CallSite:
    """The call site of `program`."""
    (found,) = program(fields, *after).calls
    return found


def test_a_minimal_call_has_the_defaults_of_the_design() -> None:
    """Sync, dead letters, 64 in parallel, the document as body."""
    found = site({"as": "answer"})
    assert (found.connection, found.function, found.execution, found.on_error) == (
        "aws",
        "score",
        "sync",
        "dlq",
    )
    assert (found.parallelism, found.response, found.retry) == (64, "body", RetrySpec())
    assert found.payload is None
    assert found.path == "pipeline[1].$externalFunction"


def test_flow_control_reaches_the_call_site() -> None:
    """`hold`, `breaker`, `rate` and `retry.retryOn`; left out: five minutes, no breaker, no bound."""
    plain = site({"as": "answer"})
    assert (plain.hold, plain.breaker, plain.rate_per_second) == (HoldSpec(300.0, "onError"), None, None)
    found = site(
        {
            "hold": {"timeout": "10s", "after": "fail"},
            "breaker": {"errorRate": 0.5, "window": 20},
            "rate": "30/m",
            "retry": {"retryOn": ["TransientError"]},
        }
    )
    assert (found.hold, found.breaker) == (HoldSpec(10.0, "fail"), BreakerSpec(0.5, 20))
    assert (found.rate_per_second, found.retry.retry_on) == (0.5, frozenset({"TransientError"}))
    assert site({"breaker": {}, "rate": "500/s"}).breaker == BreakerSpec(0.2, 200)
    for after in ("onError", "fail", "wait"):  # the same timeout may stand beside each
        assert site({"hold": {"timeout": "10s", "after": after}}).hold.after == after


def test_every_field_reaches_the_call_site() -> None:
    """Extensions too, durations in both spellings."""
    found = site(
        {
            "functionName": ARN,
            "as": "a.b",
            "onError": "ignore",
            "parallelism": 8,
            "partitionBy": "$customer.id",
            "timeout": "200ms",
            "response": "envelope",
            "retry": {
                "maxAttempts": 3,
                "maxElapsed": "2m",
                "base": "50ms",
                "cap": {"size": 1, "unit": "second"},
                "onUnknown": "onError",
            },
        }
    )
    assert found.function == ARN
    assert (found.on_error, found.parallelism, found.response) == ("ignore", 8, "envelope")
    assert found.timeout_seconds == pytest.approx(0.2)
    assert found.retry == RetrySpec(3, 120.0, 0.05, 1.0, "onError")
    assert found.partition_by is not None
    assert found.partition_by({"customer": {"id": 1}}, None) == found.partition_by(
        {"customer": {"id": 1.0}}, None
    )
    assert found.partition_by({"customer": {"id": 1}}, None) != found.partition_by({}, None)
    hash(found.partition_by({"customer": {"id": {"x": [1]}}}, None))


def test_a_batch_has_defaults_of_its_own() -> None:
    """100 records, what Lambda takes, 5 ms, matched by id; without `batch` there is none."""
    assert site({"batch": {}}).batch == BatchSpec(100, 6_291_456, 0.005, "records")
    assert site({"batch": {}, "execution": "async"}).batch == BatchSpec(100, 1_048_576, 0.005, "records")
    given = {"maxRecords": 10_000, "maxBytes": "512KiB", "maxDelay": "1s", "contract": "array"}
    assert site({"batch": given, "partitionBy": "$a"}).batch == BatchSpec(10_000, 524_288, 1.0, "array")
    assert site({}).batch is None
    assert site({"idempotency": {"field": "penstock"}}).identity_field == "penstock"


@pytest.mark.parametrize(
    ("fields", "before", "sends_source"),
    [
        ({}, [], True),
        ({}, [{"$match": {"a": 1}}], True),
        ({}, [{"$set": {"a": 1}}], False),
        ({"payload": [{"$project": {"a": 1}}]}, [], False),
        ({"idempotency": {"field": "penstock"}}, [], False),
        ({"batch": {"contract": "records"}}, [], False),
    ],
)
def test_a_kafka_event_carries_the_records_own_bytes_while_nothing_changed_them(
    fields: dict[str, Any], before: list[dict[str, Any]], sends_source: bool
) -> None:
    """Filters change nothing; what computes, and a payload, does."""
    call = {"connectionName": "aws", "functionName": "f", "batch": {"contract": "kafkaEvent"}, **fields}
    (found,) = compile_processor([SOURCE, *before, {"$externalFunction": call}, EMIT]).call_sites
    assert isinstance(found, CallSite)
    assert found.sends_source is sends_source


def test_the_answer_is_set_on_a_copy() -> None:
    """`as` is a path; the document of the dead letter stays as it was."""
    found = site({"as": "a.b"})
    document = {"a": {"c": 1}, "x": [1]}
    assert found.set_result is not None
    result = found.set_result(document, {"ok": True})
    assert result == {"a": {"c": 1, "b": {"ok": True}}, "x": [1]}
    assert document == {"a": {"c": 1}, "x": [1]}


def test_a_payload_is_a_pipeline_of_its_own() -> None:
    """It makes the body; what cannot be made is refused under the call's name, with its own place."""
    payload = [{"$replaceRoot": {"newRoot": "$order"}}, {"$addFields": {"sum": {"$sum": "$prices"}}},
               {"$project": {"sum": 1, "half": {"$divide": ["$sum", "$parts"]}}}]  # fmt: skip
    found = site({"as": "answer", "payload": payload})
    assert found.payload is not None
    assert found.payload({"order": {"prices": [1, 2], "parts": 2}}, None) == {"sum": 3, "half": 1.5}
    refused = found.payload({"order": {"prices": [1], "parts": 0}}, None)
    assert isinstance(refused, Refused)
    assert refused.operator == "$externalFunction"
    assert refused.path == "pipeline[1].$externalFunction.payload[2].$project.half.$divide"


def test_calls_cut_the_pipeline_into_segments() -> None:
    """One segment more than calls, empty ones pass documents on as they are."""
    call = {"$externalFunction": {"connectionName": "aws", "functionName": "f", "as": "x"}}
    found = compile_processor(
        [SOURCE, {"$match": {"a": 1}}, call, call, {"$set": {"b": 1}}, {"$unset": "x"}, EMIT]
    )
    assert [segment.stages for segment in found.segments] == [("$match",), (), ("$set", "$unset")]
    assert [segment.is_identity for segment in found.segments] == [False, True, False]
    assert [call_site.path for call_site in found.call_sites] == [
        "pipeline[2].$externalFunction",
        "pipeline[3].$externalFunction",
    ]


def test_a_call_may_be_the_sink() -> None:
    """Sync or async; then nothing is missing and nothing is warned about but the parallelism."""
    call = {"$externalFunction": {"connectionName": "aws", "functionName": "f"}}
    found = compile_processor([SOURCE, call])
    assert found.sink is None
    assert len(found.warnings) == 1
    asynchronous = {"$externalFunction": {"connectionName": "aws", "functionName": "f", "execution": "async"}}
    assert compile_processor([SOURCE, asynchronous]).warnings == ()


def test_warnings_name_what_is_probably_not_meant() -> None:
    """The parallelism that differs from Atlas, and an answer that nobody keeps."""
    first, second = program({}).warnings
    assert "parallelism is 64 (Atlas: 1); write `parallelism: 1`" in first
    assert "without `as` the function's answer is not kept" in second
    assert program({"parallelism": 1, "as": "x"}).warnings == ()
    (constant,) = program({"parallelism": 2, "as": "x", "partitionBy": "customer"}).warnings
    assert constant.endswith(
        ".partitionBy: the text 'customer' for every document; a field is written $customer"
    )
    assert program({"parallelism": 2, "as": "x", "partitionBy": "$customer"}).warnings == ()
    assert program({"execution": "async"}).warnings == ()


FUNCTIONS = [
    "f",
    "f:live",
    "f:$LATEST",
    "utils/add",
    ARN,
    f"{ARN}:7",
    "123456789012:function:f",
    "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f",
]


def test_functions_are_named_as_lambda_names_them() -> None:
    """A name, an alias or version, a partial or full ARN."""
    for name in FUNCTIONS:
        assert site({"functionName": name, "as": "x"}).function == name


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"connectionName": None}, ".connectionName: null; a text that is not empty"),
    ({"functionName": "a b"}, ".functionName: 'a b'; a function's name"),
    ({"functionName": "arn:aws:s3:::bucket"}, ".functionName: 'arn:aws:s3:::bucket'"),
    ({"execution": "later"}, ".execution: the text 'later'; one of sync, async"),
    ({"as": "a..b"}, ".as: the path 'a..b' has an empty component"),
    ({"as": "x", "execution": "async"}, ".as: 'as' with execution async"),
    ({"onError": "discard"}, ".onError: the text 'discard'; one of dlq, ignore, fail"),
    ({"payload": {}}, ".payload: a document; an array of stages"),
    ({"payload": [{"$match": {}}]}, ".payload[0].$match: $match cannot stand here; one of $addFields"),
    ({"payload": [{"$externalFunction": {}}]}, "$externalFunction cannot stand here"),
    (
        {"payload": [{"$set": {"a": {"$ad": 1}}}]},
        ".payload[0].$set.a.$ad: unknown operator $ad; did you mean $add?",
    ),
    ({"parallelism": 0}, ".parallelism: 0; a whole number from 1 to 10000"),
    ({"parallelism": True}, ".parallelism: true"),
    ({"parallelism": 2, "execution": "async"}, ".parallelism: 2 with execution async"),
    ({"partitionBy": "$a", "parallelism": 1}, ".partitionBy: 'partitionBy' without parallel sync calls"),
    ({"timeout": "soon"}, ".timeout: the text 'soon'; a duration above 0 and at most 960 s, as \"200ms\""),
    ({"timeout": {"size": -1, "unit": "second"}}, ".timeout: a document; a duration above 0"),
    ({"retry": {"attempts": 3}}, ".retry.attempts: $externalFunction.retry has no field"),
    ({"retry": {"base": "2s", "cap": "1s"}}, ".retry.cap: 1 s, below the base of 2 s"),
    ({"retry": {"onUnknown": "dlq"}}, ".retry.onUnknown: the text 'dlq'; one of retry, onError"),
    ({"response": "all"}, ".response: the text 'all'; one of body, envelope"),
    ({"batch": 10}, ".batch: 10; a document of the fields of $externalFunction.batch"),
    ({"batch": {"maxRecords": 0}}, ".batch.maxRecords: 0; a whole number from 1 to 10000"),
    ({"batch": {"maxRecords": 10_001}}, ".batch.maxRecords: 10001"),
    ({"batch": {"maxBytes": "7MiB"}}, ".batch.maxBytes: 7,340,032 bytes; from 1,024 to 6,291,456 bytes"),
    ({"batch": {"maxBytes": "5mb"}}, ".batch.maxBytes: the text '5mb'; a size such as 512KiB"),
    ({"batch": {"maxBytes": 1023}}, ".batch.maxBytes: 1,023 bytes"),
    (
        {"batch": {"maxBytes": "2MiB"}, "execution": "async"},
        ".batch.maxBytes: 2,097,152 bytes; from 1,024 to 1,048,576 bytes, which an async call may have",
    ),
    ({"batch": {"maxDelay": "2m"}}, ".batch.maxDelay: the text '2m'; a duration above 0 and at most 60 s"),
    ({"batch": {"contract": "list"}}, ".batch.contract: the text 'list'; one of records, array, kafkaEvent"),
    ({"batch": {"size": 1}}, ".batch.size: $externalFunction.batch has no field 'size'"),
    ({"batch": {}, "response": "envelope"}, ".response: 'envelope' with a batch; body"),
    (
        {"batch": {"contract": "kafkaEvent"}, "as": "x"},
        ".as: 'as' with the batch contract kafkaEvent; no `as`",
    ),
    ({"retry": {"retryOn": "Boom"}}, ".retry.retryOn: the text 'Boom'; an array of error types"),
    ({"retry": {"retryOn": ["Boom", 1]}}, ".retry.retryOn[1]: 1; the type of an error"),
    ({"hold": {"timeout": "0s"}}, ".hold.timeout: the text '0s'; a duration above 0"),
    ({"hold": {"after": "dlq"}}, ".hold.after: the text 'dlq'; one of onError, fail, wait"),
    ({"hold": {"until": "5m"}}, ".hold.until: $externalFunction.hold has no field 'until'"),
    ({"breaker": {"errorRate": 20}}, ".breaker.errorRate: 20; a share above 0"),
    ({"breaker": {"window": 1}}, ".breaker.window: 1; a whole number from 10 to 100000"),
    ({"rate": 500}, ".rate: 500; a rate such as"),
    ({"rate": "500/h"}, ".rate: the text '500/h'; a rate such as"),
    ({"rate": "0/s"}, ".rate: the text '0/s'; a rate such as"),
    ({"idempotency": {}}, ".idempotency: the field 'field' is missing"),
    ({"idempotency": {"field": "a.b"}}, ".idempotency.field: 'a.b'; one field of the payload, without dots"),
    ({"idempotency": {"field": "$a"}}, ".idempotency.field:"),
    ({"onErorr": "dlq"}, ".onErorr: $externalFunction has no field 'onErorr'; did you mean 'onError'?"),
]


def test_what_is_wrong_is_refused_with_its_place() -> None:
    """Names, types, expressions, unknown fields, and what is not there yet, by name."""
    for fields, expected in REFUSED:
        with pytest.raises(Invalid) as caught:
            site(fields)
        assert expected in str(caught.value), f"{fields}: {caught.value}"
        assert all(problem.file == "processors/p.yaml" for problem in caught.value.problems)


def test_every_problem_is_told_at_once() -> None:
    """Of all stages, also of those behind a wrong one."""
    with pytest.raises(Invalid) as caught:
        compile_stages([
            {"$mach": {"a": 1}},
            {"$set": {"a": {"$foo": 1}, "b.": 2}},
            {"$externalFunction": {"functionName": "f", "onError": 1}},
            {"$lookup": {}},
        ])  # fmt: skip
    assert [str(problem) for problem in caught.value.problems] == [
        "pipeline[0].$mach: unknown stage $mach; did you mean $match?",
        "pipeline[1].$set.a.$foo: unknown operator $foo; did you mean $floor?",
        "pipeline[1].$set.b.: the path 'b.' has an empty component; a field as a or a.b",
        "pipeline[2].$externalFunction: the field 'connectionName' is missing; $externalFunction needs it",
        "pipeline[2].$externalFunction.onError: 1; one of dlq, ignore, fail",
        "pipeline[3].$lookup: $lookup is not in Penstock yet; call a function that looks it up",
    ]


def test_both_examples_of_the_stage_s_page_compile() -> None:
    """The minimal and the customized request, as Atlas prints them."""
    minimal = {"connectionName": "myLambdaConnection", "functionName": ARN, "as": "response"}
    customized = {
        **minimal,
        "execution": "sync",
        "onError": "fail",
        "payload": [
            {"$replaceRoot": {"newRoot": "$fullDocument.payloadToSend"}},
            {"$addFields": {"sum": {"$sum": "$randomArray"}}},
            {"$project": {"success": 1, "sum": 1}},
        ],
    }
    assert site(minimal).as_path == "response"
    found = site(customized)
    assert found.on_error == "fail"
    assert found.payload is not None
    assert found.payload(
        {"fullDocument": {"payloadToSend": {"success": True, "randomArray": [1, 2], "x": 1}}}, None
    ) == {
        "success": True,
        "sum": 3,
    }
