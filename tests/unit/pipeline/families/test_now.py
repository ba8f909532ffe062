"""`$$NOW`: one time for all documents at hand, by the clock that was supplied."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from workers.errors import Invalid
from workers.pipeline import Supply, compile_expression, compile_processor, compile_stages
from workers.pipeline.values import MISSING, date_from_ms


def ticking() -> Supply:
    """A clock that is a millisecond later each time it is read."""
    ticks = itertools.count(1_700_000_000_000)
    return Supply(now_ms=lambda: next(ticks), random_bytes=bytes, random=lambda: 0.5)


def at(milliseconds: int) -> Any:
    return date_from_ms(1_700_000_000_000 + milliseconds)


def test_it_is_the_same_wherever_it_stands() -> None:
    """Two of them are equal, in loops and in branches too."""
    spec = {"$map": {"input": [1, 2], "in": {"$cond": ["$$this", ["$$NOW", "$$NOW"], 0]}}}
    found = compile_expression(spec, supply=ticking())({})
    assert found == [[at(0), at(0)]] * 2


def test_it_is_one_for_a_batch_and_later_for_the_next() -> None:
    """All documents that a segment takes at once, over all its stages."""
    stages: list[dict[str, Any]] = [{"$set": {"a": "$$NOW"}}, {"$set": {"b": "$$NOW"}}]
    (segment,) = compile_stages(stages, supply=ticking()).segments
    assert segment.run([{}, {}], None) == [{"a": at(0), "b": at(0)}] * 2
    assert segment.run([{}], None) == [{"a": at(1), "b": at(1)}]


def test_current_date_goes_on_meanwhile() -> None:
    """`$currentDate` reads the clock wherever it stands."""
    spec = ["$$NOW", {"$currentDate": {}}, {"$currentDate": {}}, "$$NOW"]
    assert compile_expression(spec, supply=ticking())({}) == [at(0), at(1), at(2), at(0)]


def test_it_is_a_date() -> None:
    """With the type and the arithmetic of one, and without fields."""
    supply = Supply(now_ms=lambda: 1_700_000_000_000, random_bytes=bytes, random=lambda: 0.5)
    assert compile_expression({"$type": "$$NOW"}, supply=supply)({}) == "date"
    assert compile_expression({"$year": "$$NOW"}, supply=supply)({}) == 2023
    assert compile_expression("$$NOW.year", supply=supply)({}) is MISSING
    assert compile_expression("$$NOW", supply=supply)({}) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


def test_deep_within_each_other() -> None:
    """An expression that needs functions of its own has the same time in all of them."""
    spec: Any = "$$NOW"
    for _ in range(60):
        spec = {"$cond": [{"$eq": ["$a", 1]}, spec, None]}
    assert compile_expression([spec, "$$NOW"], supply=ticking())({"a": 1}) == [at(0), at(0)]


def test_calls_and_emit_have_it_too() -> None:
    """A payload, a partition key and a header."""
    call = {"connectionName": "aws", "functionName": "f", "payload": [{"$set": {"at": "$$NOW"}}],
            "partitionBy": {"$year": "$$NOW"}}  # fmt: skip
    emit = {"connectionName": "kafka", "topic": "out", "config": {"headers": {"at": {"$toString": "$$NOW"}}}}
    program = compile_processor(
        [
            {"$source": {"connectionName": "kafka", "topic": "in"}},
            {"$externalFunction": call},
            {"$emit": emit},
        ],
        supply=ticking(),
    )
    (site,) = program.calls
    assert site.payload is not None
    assert site.payload({"a": 1}, None) == {"a": 1, "at": at(0)}
    assert site.partition_by is not None
    assert site.partition_by({}, None) == site.partition_by({}, None)
    assert program.sink is not None
    emission: Any = program.sink.emission({}, None, None, None)
    assert emission.headers == [("at", b"2023-11-14T22:13:20.003Z")]


@pytest.mark.parametrize("name", ["CLUSTER_TIME", "USER_ROLES", "SEARCH_META"])
def test_what_a_stream_does_not_have_is_refused(name: str) -> None:
    """By name, at start."""
    with pytest.raises(Invalid) as caught:
        compile_expression(f"$${name}", supply=ticking())
    assert f"$${name} is not supported" in str(caught.value)
