"""Time and chance: drawn from whoever compiled, once for each document, never at start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from bson import Binary

from tests.unit.pipeline.families.rows import at_start
from workers.appfolder.supply import SYSTEM
from workers.errors import Poison
from workers.pipeline import Supply, compile_expression, compile_processor, compile_stages

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def counting() -> Supply:
    """A clock that goes on a millisecond, and chance that goes on a step, each time it is asked."""
    moments, draws = count(1000), count(1)
    return Supply(lambda: next(moments), lambda size: bytes([255]) * size, lambda: next(draws) / 10)


def test_each_evaluation_asks_anew() -> None:
    """Constant as they look, they are not folded, and two in one document differ."""
    (segment,) = compile_stages(
        [{"$set": {"at": {"$currentDate": {}}, "also": {"$currentDate": {}}, "r": {"$rand": {}}}}],
        supply=counting(),
    ).segments
    first, second = segment.run([{}, {}], None)
    assert first == {
        "at": EPOCH + timedelta(seconds=1),
        "also": EPOCH + timedelta(milliseconds=1001),
        "r": 0.1,
    }
    assert second == {
        "at": EPOCH + timedelta(milliseconds=1002),
        "also": EPOCH + timedelta(milliseconds=1003),
        "r": 0.2,
    }


def test_a_uuid_is_random_and_says_so() -> None:
    """Version 4, and the variant of the standard, whatever was drawn."""
    made = compile_expression({"$createUUID": {}}, supply=counting())({})
    assert isinstance(made, Binary)
    assert made.subtype == 4
    assert str(UUID(bytes=bytes(made))) == "ffffffff-ffff-4fff-bfff-ffffffffffff"


def test_the_machine_supplies_time_and_chance() -> None:
    """Now is now, numbers lie from 0 to 1, and two UUIDs differ."""
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    found = compile_expression({"$currentDate": {}}, supply=SYSTEM)({})
    assert before <= found <= datetime.now(UTC)
    rand = compile_expression({"$rand": {}}, supply=SYSTEM)
    assert all(0 <= rand({}) < 1 for _ in range(100))
    unique = compile_expression({"$createUUID": {}}, supply=SYSTEM)
    assert unique({}) != unique({})


def test_queries_and_sinks_are_supplied_too() -> None:
    """In $expr, and in a processor's topic."""
    (segment,) = compile_stages(
        [{"$match": {"$expr": {"$gt": [{"$rand": {}}, 0.15]}}}], supply=counting()
    ).segments
    assert [isinstance(outcome, dict) for outcome in segment.run([{}, {}], None)] == [False, True]
    program = compile_processor(
        [
            {"$source": {"connectionName": "k", "topic": "t"}},
            {"$emit": {"connectionName": "k", "topic": "out", "config": {"key": {"$createUUID": {}}}}},
        ],
        supply=counting(),
    )
    assert program.sink is not None


def test_without_a_supply_there_is_an_error_and_no_made_up_value() -> None:
    """Checking needs none; running without one refuses the document."""
    for name in ("$currentDate", "$createUUID", "$rand"):
        with pytest.raises(Poison, match="were not supplied"):
            compile_expression({name: {}})({})


def test_they_take_no_arguments() -> None:
    """Anything else is refused at start."""
    for spec in (1, "x", {"a": 1}, [1], None):
        assert at_start({"$rand": spec})[0][0] == "p.$rand"
