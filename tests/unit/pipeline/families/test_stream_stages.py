"""$unwind, $redact, $validate and $setStreamMeta within a segment."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Int64

from workers.errors import Invalid
from workers.model import DROPPED, PROCESSOR_SCOPE, Many, Meta, Refused
from workers.pipeline import compile_processor, compile_stages
from workers.pipeline.segment import MAX_SPREADS
from workers.pipeline.stages.validate import REASON


def run(stages: list[dict[str, Any]], *docs: dict[str, Any], metas: list[Meta] | None = None) -> list[Any]:
    """The outcomes of documents, which must be as they were."""
    (segment,) = compile_stages(stages).segments
    before = repr(docs)
    found = segment.run(list(docs), metas)
    assert repr(docs) == before, "a document was changed"
    assert len(found) == len(docs)
    return list(found)


def docs_of(outcome: Any) -> list[Any]:
    """The documents that came of one."""
    if outcome is DROPPED:
        return []
    return outcome.docs if isinstance(outcome, Many) else [outcome]


def problems(*stages: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as caught:
        compile_stages(list(stages))
    return [(problem.path, problem.found) for problem in caught.value.problems]


SPECS: list[tuple[Any, dict[str, Any], list[dict[str, Any]]]] = [
    ("$a", {"a": [1, "x"], "b": 0}, [{"a": 1, "b": 0}, {"a": "x", "b": 0}]),
    ("$a", {"a": [[1], None]}, [{"a": [1]}, {"a": None}]),
    ("$a", {"a": 5}, [{"a": 5}]),
    ("$a", {"a": []}, []),
    ("$a", {"a": None}, []),
    ("$a", {}, []),
    ("$a.b", {"a": {"b": [1, 2], "c": 3}}, [{"a": {"b": 1, "c": 3}}, {"a": {"b": 2, "c": 3}}]),
    ("$a.b", {"a": [{"b": [1]}]}, []),
    ({"path": "$a"}, {"a": [1]}, [{"a": 1}]),
    ({"path": "$a", "preserveNullAndEmptyArrays": True}, {"a": [], "b": 1}, [{"b": 1}]),
    ({"path": "$a", "preserveNullAndEmptyArrays": True}, {"a": None}, [{"a": None}]),
    ({"path": "$a.b", "preserveNullAndEmptyArrays": True}, {"a": 1}, [{"a": 1}]),
    ({"path": "$a", "includeArrayIndex": "i"}, {"a": ["x"]}, [{"a": "x", "i": Int64(0)}]),
    ({"path": "$a", "includeArrayIndex": "i"}, {"a": "x"}, [{"a": "x", "i": None}]),
    ({"path": "$a", "includeArrayIndex": "a.i"}, {"a": [7]}, [{"a": {"i": Int64(0)}}]),
    ({"path": "$a", "includeArrayIndex": "i.j"}, {"a": [7], "i": 1}, [{"a": 7, "i": {"j": Int64(0)}}]),
    (
        {"path": "$a", "includeArrayIndex": "i", "preserveNullAndEmptyArrays": True},
        {"a": [], "i": 1},
        [{"i": None}],
    ),
]


@pytest.mark.parametrize(("spec", "document", "expected"), SPECS)
def test_unwind_gives_a_document_for_each_element(
    spec: Any, document: dict[str, Any], expected: list[dict[str, Any]]
) -> None:
    """Every kind of array and option; the document itself is not touched."""
    (outcome,) = run([{"$unwind": spec}], document)
    assert docs_of(outcome) == expected
    for found, wanted in zip(docs_of(outcome), expected, strict=True):
        assert [type(value) for value in found.values()] == [type(value) for value in wanted.values()]


def test_the_index_is_a_long() -> None:
    """Also where it would fit an int."""
    (outcome,) = run([{"$unwind": {"path": "$a", "includeArrayIndex": "i"}}], {"a": [1, 2]})
    assert [type(doc["i"]) for doc in docs_of(outcome)] == [Int64, Int64]


def test_stages_after_an_unwind_see_each_document_by_itself() -> None:
    """Filtered, refused and passed beside each other; what was read before is not read of another element."""
    stages: list[dict[str, Any]] = [
        {"$set": {"was": "$a", "k": "$b"}},
        {"$unwind": "$a"},
        {"$match": {"a": {"$ne": 2}}},
        {"$set": {"sum": {"$add": ["$a", "$k"]}}},
        {"$unset": ["was", "k", "b"]},
    ]
    one, two, three = run(stages, {"a": [1, 2, "x", 4], "b": 10}, {"a": [2]}, {"a": []})
    good, bad, last = docs_of(one)
    assert (good, last) == ({"a": 1, "sum": 11}, {"a": 4, "sum": 14})
    assert isinstance(bad, Refused)
    assert (bad.operator, bad.path) == ("$set", "pipeline[3].$set.sum.$add")
    assert bad.doc == {"a": "x", "was": [1, 2, "x", 4], "k": 10, "b": 10}
    assert two is DROPPED
    assert three is DROPPED


def test_unwinds_within_each_other_multiply() -> None:
    """In order, the first one outermost."""
    stages: list[dict[str, Any]] = [
        {"$unwind": "$a"},
        {"$unwind": "$b"},
        {"$project": {"_id": 0, "p": ["$a", "$b"]}},
    ]
    (outcome,) = run(stages, {"a": [1, 2], "b": ["x", "y"]})
    assert [doc["p"] for doc in docs_of(outcome)] == [[1, "x"], [1, "y"], [2, "x"], [2, "y"]]


def test_there_is_a_bound_on_unwinds_between_two_calls() -> None:
    """As deep as Python goes, and refused beyond it."""
    spreads: list[dict[str, Any]] = [{"$unwind": "$a"}] * MAX_SPREADS
    (outcome,) = run([*spreads, {"$project": {"a": 1}}], {"a": [[1]]})
    assert docs_of(outcome) == [{"a": 1}]
    assert problems(*[{"$unwind": "$a"}] * (MAX_SPREADS + 1)) == [
        (f"pipeline[{MAX_SPREADS}].$unwind", "an $unwind too many")
    ]


def test_unwind_refuses_what_it_cannot_mean() -> None:
    """Each mistake at its place."""
    assert problems({"$unwind": "a"})[0][0] == "pipeline[0].$unwind"
    assert problems({"$unwind": {}}) == [("pipeline[0].$unwind.path", "no path")]
    assert problems({"$unwind": {"path": "$"}})[0][0] == "pipeline[0].$unwind.path"
    assert problems({"$unwind": {"path": "$a", "includeArrayIndex": "$i"}})[0][0].endswith(
        "includeArrayIndex"
    )
    assert problems({"$unwind": {"path": "$a", "includeArrayIndex": ""}})[0][0].endswith("includeArrayIndex")
    assert problems({"$unwind": {"path": "$a", "preserveNullAndEmptyArrays": 1}})[0][0].endswith("Arrays")
    assert problems({"$unwind": {"path": "$a", "b": 1}}) == [
        ("pipeline[0].$unwind.b", "$unwind has no field 'b'")
    ]


def test_redact_judges_every_document_within() -> None:
    """In arrays of arrays too; fields are those of the document judged, $$ROOT is the whole one."""
    stages = [
        {"$redact": {"$cond": [{"$gt": [{"$ifNull": ["$level", 0]}, "$$ROOT.max"]}, "$$PRUNE", "$$DESCEND"]}}
    ]
    document = {
        "max": 3,
        "x": {"level": 5},
        "y": [{"level": 2, "z": 1}, {"level": 9}, [{"level": 4}, 7], "s"],
    }
    assert run(stages, document) == [{"max": 3, "y": [{"level": 2, "z": 1}, [7], "s"]}]
    assert run(stages, {"level": 4, "max": 3}) == [DROPPED]


def test_redact_keeps_without_looking_within() -> None:
    """$$KEEP stops there; variables of the expression's own may be bound beside."""
    stages: list[dict[str, Any]] = [
        {
            "$redact": {
                "$switch": {
                    "branches": [{"case": {"$eq": ["$k", 1]}, "then": "$$KEEP"}],
                    "default": {
                        "$let": {"vars": {"p": "$p"}, "in": {"$cond": ["$$p", "$$PRUNE", "$$DESCEND"]}}
                    },
                }
            }
        },
        {"$set": {"seen": True}},
    ]
    document = {"a": {"k": 1, "in": {"p": 1}}, "b": {"p": 1}}
    assert run(stages, document) == [{"a": {"k": 1, "in": {"p": 1}}, "seen": True}]


def test_redact_wants_one_of_three_answers() -> None:
    """A constant of another kind is refused at start, a value with its document."""
    assert problems({"$redact": "x"})[0][0] == "pipeline[0].$redact"
    assert problems({"$redact": "$$KEPT"})[0][1] == "the variable $$KEPT is not defined"
    assert problems({"$set": {"a": "$$KEEP"}})[0][1] == "the variable $$KEEP is not defined"
    (outcome,) = run([{"$redact": "$a"}], {"a": 1})
    assert isinstance(outcome, Refused)
    assert "not a value of the type int" in outcome.reason


VALIDATOR = {"$jsonSchema": {"required": ["id"], "properties": {"id": {"bsonType": "int"}}}}


def test_validate_discards_dead_letters_or_stops() -> None:
    """What the query holds for passes unchanged."""
    good, bad = {"id": 1}, {"id": "x"}
    assert run([{"$validate": {"validator": VALIDATOR}}], good, bad) == [good, DROPPED]
    for action, scope in (("dlq", "record"), ("error", PROCESSOR_SCOPE)):
        stage = {"$validate": {"validator": VALIDATOR, "validationAction": action}}
        passed, refused = run([stage], good, bad)
        assert passed == good
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.operator, refused.scope) == (REASON, "$validate", scope)
        assert (refused.path, refused.doc) == ("pipeline[0].$validate", bad)


def test_validate_takes_the_whole_query_language() -> None:
    """$expr and operators too."""
    validator = {"a": {"$gt": 1}, "$expr": {"$lt": ["$a", "$b"]}}
    assert run([{"$validate": {"validator": validator}}], {"a": 2, "b": 3}, {"a": 2, "b": 1})[1] is DROPPED


def test_validate_refuses_mistakes_at_start() -> None:
    """Each at its place."""
    assert problems({"$validate": {}}) == [("pipeline[0].$validate", "the field 'validator' is missing")]
    assert problems({"$validate": 1})[0][0] == "pipeline[0].$validate"
    assert problems({"$validate": {"validator": {"$where": "1"}}})[0][0].startswith(
        "pipeline[0].$validate.validator"
    )
    assert problems({"$validate": {"validator": {}, "validationAction": "drop"}})[0][0].endswith("Action")
    assert problems({"$validate": {"validator": {}, "level": 1}})[0][1] == "$validate has no field 'level'"


def meta() -> Meta:
    return Meta({"topic": "orders", "partition": 3})


def test_stream_meta_is_read_after_it_was_set() -> None:
    """Beside the body, in the same segment and on the meta itself; missing values remove."""
    stages: list[dict[str, Any]] = [
        {
            "$setStreamMeta": {
                "stream.region": {"$toUpper": "$r"},
                "stream.deep.er": "$missing",
                "stream.n": 1,
            }
        },
        {"$project": {"_id": 0, "r": {"$meta": "stream.region"}, "all": {"$meta": "stream"}}},
    ]
    own = meta()
    expected = {"region": "EU", "deep": {}, "n": 1, "source": {"topic": "orders", "partition": 3}}
    assert run(stages, {"r": "eu"}, metas=[own]) == [{"r": "EU", "all": expected}]
    assert own.user == {"region": "EU", "deep": {}, "n": 1}
    (segment,) = compile_stages(stages).segments
    assert segment.needs_meta


def test_documents_of_one_record_have_meta_of_their_own() -> None:
    """After an $unwind each keeps what was set for it; the record's own meta stays as it was."""
    stages: list[dict[str, Any]] = [
        {"$setStreamMeta": {"stream.all": 1}},
        {"$unwind": "$a"},
        {"$setStreamMeta": {"stream.mine": "$a"}},
        {"$match": {"a": {"$ne": 2}}},
    ]
    own = meta()
    (outcome,) = run(stages, {"a": [1, 2, 3]}, metas=[own])
    assert isinstance(outcome, Many)
    assert outcome.metas is not None
    assert [one.user for one in outcome.metas] == [{"all": 1, "mine": 1}, {"all": 1, "mine": 3}]
    assert all(one.source is own.source for one in outcome.metas)
    assert own.user == {"all": 1}


def test_a_failing_expression_of_stream_meta_refuses_the_document() -> None:
    """And sets nothing."""
    own = meta()
    stages: list[dict[str, Any]] = [{"$setStreamMeta": {"stream.a": 1, "stream.b": {"$divide": [1, "$z"]}}}]
    (outcome,) = run(stages, {"z": 0}, metas=[own])
    assert isinstance(outcome, Refused)
    assert own.user == {}


def test_stream_meta_refuses_names_that_are_not_the_users() -> None:
    """Each at its place."""
    assert problems({"$setStreamMeta": {}})[0][0] == "pipeline[0].$setStreamMeta"
    assert "does not begin with 'stream.'" in problems({"$setStreamMeta": {"region": 1}})[0][1]
    assert "does not begin with 'stream.'" in problems({"$setStreamMeta": {"stream": 1}})[0][1]
    assert "set by Penstock itself" in problems({"$setStreamMeta": {"stream.source.topic": 1}})[0][1]
    assert "collides" in problems({"$setStreamMeta": {"stream.a": 1, "stream.a.b": 1}})[0][1]


def test_a_payload_has_none_of_these_stages() -> None:
    """Only what shapes a document."""
    others: list[dict[str, Any]] = [
        {"$unwind": "$a"},
        {"$redact": "$$KEEP"},
        {"$validate": {"validator": {}}},
    ]
    for stage in others:
        call = {"connectionName": "l", "functionName": "f", "as": "r", "payload": [stage]}
        source = {"connectionName": "k", "topic": "t"}
        with pytest.raises(Invalid, match="cannot stand here"):
            compile_processor([{"$source": source}, {"$externalFunction": call}])


def test_expressions_of_a_query_know_the_meta_and_share_what_was_read() -> None:
    """$expr at the top of a query and in $and; the query's own conditions come first."""
    query = {
        "n": {"$ne": 0},
        "$expr": {"$gt": [{"$divide": [6, "$n"]}, 1]},
        "$and": [{"$expr": {"$eq": [{"$meta": "stream.source.topic"}, "orders"]}}, {"n": {"$lt": 9}}],
    }
    docs = [{"n": 0}, {"n": 3}, {"n": 8}]
    assert run([{"$match": query}], *docs, metas=[meta()] * 3) == [DROPPED, {"n": 3}, DROPPED]
    others = [Meta({"topic": "other"})] * 3
    assert run([{"$match": query}], *docs, metas=others) == [DROPPED] * 3
    (refused,) = run([{"$match": {"$expr": {"$divide": [1, "$n"]}}}], {"n": 0})
    assert (refused.operator, refused.path) == ("$match", "pipeline[0].$match.$expr.$divide")


def test_meta_within_or_is_refused() -> None:
    """There an expression is asked of the document alone."""
    query = {"$or": [{"$expr": {"$eq": [{"$meta": "stream.source.topic"}, "x"]}}, {"a": 1}]}
    assert problems({"$match": query}) == [
        ("pipeline[0].$match.$or[0].$expr.$eq[0].$meta", "$meta within $or or $nor")
    ]
    (segment,) = compile_stages([{"$match": {"$or": [{"$expr": "$a"}, {"b": 1}]}}]).segments
    assert segment.run([{"a": 1}, {"b": 1}, {}], None) == [{"a": 1}, {"b": 1}, DROPPED]
