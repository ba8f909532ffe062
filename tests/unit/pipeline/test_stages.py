"""What stages make of documents: a table of (pipeline, document, outcome)."""

from __future__ import annotations

import copy
import json
from typing import Any

from bson import Decimal128

from workers.model import DROPPED, Refused
from workers.pipeline import STAGES, compile_stages

Row = tuple[list[dict[str, Any]], dict[str, Any], Any]

ROWS: list[Row] = [
    # $project that keeps: the document's order, _id unless told otherwise, computed fields behind.
    ([{"$project": {"b": 1, "a": 1}}], {"_id": 1, "a": 2, "x": 3, "b": 4}, {"_id": 1, "a": 2, "b": 4}),
    ([{"$project": {"_id": 0, "a": True}}], {"_id": 1, "a": 2}, {"a": 2}),
    ([{"$project": {"_id": 1}}], {"_id": 1, "a": 2}, {"_id": 1}),
    ([{"$project": {"a": Decimal128("1")}}], {"a": 2, "b": 3}, {"a": 2}),
    ([{"$project": {"n": {"$add": ["$a", 1]}, "a": 1}}], {"a": 2, "b": 3}, {"a": 2, "n": 3}),
    ([{"$project": {"n": "$gone", "a": 1}}], {"a": 2}, {"a": 2}),
    ([{"$project": {"a": "text"}}], {"a": 2}, {"a": "text"}),
    ([{"$project": {"a": ["$b", "$gone"]}}], {"b": 2}, {"a": [2, None]}),
    ([{"$project": {"a.b": 1}}], {"a": {"b": 1, "c": 2}, "x": 1}, {"a": {"b": 1}}),
    ([{"$project": {"a": {"b": 1}}}], {"a": {"c": 2}}, {"a": {}}),
    ([{"$project": {"a.b": 1}}], {"a": 5}, {}),
    (
        [{"$project": {"a.b": 1}}],
        {"a": [{"b": 1, "c": 2}, 5, [{"b": 3}, 6], {}]},
        {"a": [{"b": 1}, [{"b": 3}], {}]},
    ),
    ([{"$project": {"a.b": 1, "a.n": "$x"}}], {"a": [{"b": 1, "c": 2}], "x": 9}, {"a": [{"b": 1, "n": 9}]}),
    ([{"$project": {"a.n": {"$literal": 1}}}], {"a": 5}, {"a": {"n": 1}}),
    ([{"$project": {"_id": "$$REMOVE"}}], {"_id": 1, "a": 10}, {}),
    # $project that leaves out.
    ([{"$project": {"a": 0}}], {"_id": 1, "a": 2, "b": 3}, {"_id": 1, "b": 3}),
    ([{"$project": {"_id": 0}}], {"_id": 1, "a": 2}, {"a": 2}),
    ([{"$project": {"_id": 1, "a": 0}}], {"_id": 1, "a": 2, "b": 3}, {"_id": 1, "b": 3}),
    ([{"$project": {"a.b": 0, "c": False}}], {"a": [{"b": 1, "d": 2}, 5], "c": 1}, {"a": [{"d": 2}, 5]}),
    ([{"$unset": ["a", "b.c"]}], {"a": 1, "b": {"c": 1, "d": 2}}, {"b": {"d": 2}}),
    ([{"$unset": "b.c"}], {"b": 5}, {"b": 5}),
    # $addFields: places kept, missing removes, nested merges, all read before any is set.
    ([{"$addFields": {"a": "$b", "b": "$a"}}], {"a": 1, "b": 2}, {"a": 2, "b": 1}),
    ([{"$set": {"a": "$gone", "c": 1}}], {"a": 1, "b": 2}, {"b": 2, "c": 1}),
    ([{"$set": {"a": "$$REMOVE"}}], {"a": 1, "b": 2}, {"b": 2}),
    ([{"$addFields": {"a": {"b": 1}}}], {"a": {"c": 2}}, {"a": {"c": 2, "b": 1}}),
    ([{"$addFields": {"a": {"$literal": {"b": 1}}}}], {"a": {"c": 2}}, {"a": {"b": 1}}),
    ([{"$addFields": {"a.b": "$gone"}}], {}, {"a": {}}),
    ([{"$addFields": {"a.b": 9}}], {"a": [{"x": 1}, 42, "h"]}, {"a": [{"x": 1, "b": 9}, {"b": 9}, {"b": 9}]}),
    ([{"$set": {"copy": "$$ROOT"}}], {"a": 1}, {"a": 1, "copy": {"a": 1}}),
    (
        [{"$set": {"b": 1}}, {"$set": {"copy": "$$ROOT"}}],
        {"a": 1},
        {"a": 1, "b": 1, "copy": {"a": 1, "b": 1}},
    ),
    (
        [{"$set": {"n": "$a"}}, {"$set": {"a": 5}}, {"$set": {"m": "$n", "k": "$a"}}],
        {"a": 1},
        {"a": 5, "n": 1, "m": 1, "k": 5},
    ),
    ([{"$set": {"a.b": 1}}, {"$set": {"c": "$a.b"}}, {"$unset": "a"}, {"$set": {"d": "$a.b"}}], {}, {"c": 1}),
    # $replaceRoot, $replaceWith.
    ([{"$replaceRoot": {"newRoot": "$o"}}], {"o": {"x": 1}}, {"x": 1}),
    ([{"$replaceWith": {"a": "$x", "b": "$gone"}}], {"x": 1}, {"a": 1}),
    ([{"$replaceWith": "$o"}, {"$set": {"y": 2}}], {"o": {"x": 1}}, {"x": 1, "y": 2}),
    ([{"$replaceWith": {"$literal": {"x": 1}}}, {"$set": {"y": "$x"}}], {}, {"x": 1, "y": 1}),
    # $match drops, and what follows sees what came before.
    ([{"$match": {"a": {"$gt": 1}}}], {"a": 1}, DROPPED),
    (
        [{"$set": {"b": 2}}, {"$match": {"b": 2, "a.x": {"$exists": False}}}, {"$set": {"c": "$b"}}],
        {"a": 1},
        {"a": 1, "b": 2, "c": 2},
    ),
    ([{"$match": {"$expr": {"$gt": ["$a", "$b"]}}}], {"a": 2, "b": 1}, {"a": 2, "b": 1}),
    (
        [{"$match": {"k1": "k1", "v1": "doc"}}, {"$match": {"k1": {"$in": ["k1"]}}}],
        {"k1": "k1", "v1": "doc"},
        {"k1": "k1", "v1": "doc"},
    ),
]


def run(pipeline: list[dict[str, Any]], document: dict[str, Any]) -> Any:
    """The outcome of one document."""
    (segment,) = compile_stages(pipeline).segments
    return segment.run([document], None)[0]


def test_stages_make_what_the_server_makes() -> None:
    """Every row, the order of fields included; the document given is never changed."""
    for pipeline, document, expected in ROWS:
        before = copy.deepcopy(document)
        found = run(pipeline, document)
        assert found == expected, f"{pipeline} of {document} gave {found}"
        if isinstance(expected, dict):
            assert json.dumps(found, default=str) == json.dumps(expected, default=str), pipeline
        assert document == before, f"{pipeline} changed its document"


def test_a_constant_is_not_changed_by_a_later_stage() -> None:
    """A literal document is shared by all documents."""
    (segment,) = compile_stages(
        [{"$replaceWith": {"$literal": {"x": 1}}}, {"$set": {"y": "$x"}}, {"$unset": "x"}]
    ).segments
    assert segment.run([{}, {}], None) == [{"y": 1}, {"y": 1}]


def test_what_did_not_change_is_shared() -> None:
    """Setting a field costs a copy of the top level alone."""
    document = {"big": {"list": [1, 2]}, "a": 1}
    found = run([{"$set": {"b": 1}}], document)
    assert found["big"] is document["big"]


FAILURES: list[tuple[list[dict[str, Any]], dict[str, Any], Refused]] = [
    (
        [
            {"$match": {"a": 1}},
            {"$addFields": {"b": 2}},
            {"$project": {"total": {"$divide": ["$a", "$z"]}, "a": 1}},
        ],
        {"a": 1, "z": 0},
        Refused(
            "can't $divide by zero",
            "$project",
            "pipeline[2].$project.total.$divide",
            {"a": 1, "z": 0, "b": 2},
        ),
    ),
    (
        [{"$set": {"n": 1}}, {"$set": {"m": 2, "a.b": {"$toInt": "$x"}}}],
        {"x": "no"},
        Refused(
            "failed to convert string to int in $convert: the text is no whole number",
            "$set",
            "pipeline[1].$set.a.b.$toInt",
            {"x": "no", "n": 1},
        ),
    ),
    (
        [{"$replaceRoot": {"newRoot": "$a"}}],
        {"a": 5},
        Refused(
            "'newRoot' expression must evaluate to an object, but resulting value was of type int",
            "$replaceRoot",
            "pipeline[0].$replaceRoot",
            {"a": 5},
        ),
    ),
    (
        [{"$match": {"$expr": {"$divide": [1, "$z"]}}}],
        {"z": 0},
        Refused("can't $divide by zero", "$match", "pipeline[0].$match.$expr.$divide", {"z": 0}),
    ),
]


def test_a_refusal_says_why_and_where_and_shows_the_document_as_it_entered_the_stage() -> None:
    """What later expressions of the failing stage did not see is not in it."""
    for pipeline, document, expected in FAILURES:
        assert run(pipeline, document) == expected


def test_one_bad_document_harms_no_other() -> None:
    """Outcomes stay in the order of the documents."""
    (segment,) = compile_stages(
        [{"$match": {"a": {"$ne": 3}}}, {"$set": {"b": {"$divide": [6, "$a"]}}}]
    ).segments
    found = segment.run([{"a": 1}, {"a": 0}, {"a": 3}, {"a": 2}], None)
    assert found[0] == {"a": 1, "b": 6.0}
    assert isinstance(found[1], Refused)
    assert found[2] is DROPPED
    assert found[3] == {"a": 2, "b": 3.0}


def test_every_example_of_a_stage_compiles() -> None:
    """The docs print these examples."""
    for name, stage in STAGES.items():
        assert name in stage.example
        compile_stages([dict(stage.example)])
        assert name in stage.syntax


def test_a_computed_field_within_an_array_lands_in_each_element() -> None:
    """`$project` of `l.x` keeps the array: documents lose the rest, scalars become documents."""
    segment = compile_stages([{"$project": {"l.x": "$n"}}]).segments[0]
    doc = {"n": 1, "l": [{"y": 1}, "b", [{"z": 2}, 3]]}
    assert segment.run([doc, {"n": 1, "l": 5}], None) == [
        {"l": [{"x": 1}, {"x": 1}, [{"x": 1}, {"x": 1}]]},
        {"l": {"x": 1}},
    ]
    both = compile_stages([{"$project": {"l.x": "$n", "l.y": 1}}]).segments[0]
    assert both.run([doc], None) == [{"l": [{"y": 1, "x": 1}, {"x": 1}, [{"x": 1}, {"x": 1}]]}]
