"""Stages over a whole list, as `penstock eval` has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from bson import Decimal128, Int64

from workers.errors import Invalid
from workers.model import Meta, Refused
from workers.pipeline import compile_processor, compile_stages
from workers.pipeline.eval_stages import EVAL_STAGES

SCORES = [
    {"_id": 1, "g": "a", "v": 3, "t": ["x"]},
    {"_id": 2, "g": "b", "v": 1, "t": ["y"]},
    {"_id": 3, "g": "a", "v": None, "t": ["x", "z"]},
    {"_id": 4, "g": "a", "v": 5.5, "t": []},
]


def run(stages: list[dict[str, Any]], docs: list[dict[str, Any]]) -> list[Any]:
    """The outcomes; the documents must be as they were."""
    (segment,) = compile_stages(stages).segments
    before = repr(docs)
    found = list(segment.run(docs, None))
    assert repr(docs) == before, "a document was changed"
    return found


def of_group(accumulator: dict[str, Any], docs: list[dict[str, Any]] | None = None) -> Any:
    """What an accumulator makes of group `a`."""
    found = run([{"$group": {"_id": "$g", "r": accumulator}}], SCORES if docs is None else docs)
    return found[0]["r"] if not isinstance(found[0], Refused) else found[0]


def problem(*stages: Any) -> tuple[str, str]:
    with pytest.raises(Invalid) as caught:
        compile_stages(list(stages))
    first = caught.value.problems[0]
    return first.path, first.found


ACCUMULATORS: list[tuple[dict[str, Any], Any]] = [
    ({"$sum": "$v"}, 8.5),
    ({"$sum": 1}, 3),
    ({"$sum": "$t"}, 0),
    ({"$avg": "$v"}, 4.25),
    ({"$avg": "$t"}, None),
    ({"$min": "$v"}, 3),
    ({"$max": "$v"}, 5.5),
    ({"$first": "$v"}, 3),
    ({"$last": "$missing"}, None),
    ({"$push": "$v"}, [3, None, 5.5]),
    ({"$push": "$missing"}, []),
    ({"$push": {"v": "$v", "m": "$missing"}}, [{"v": 3}, {"v": None}, {"v": 5.5}]),
    ({"$addToSet": {"$size": "$t"}}, [1, 2, 0]),
    ({"$addToSet": "$missing"}, []),
    ({"$mergeObjects": {"last": "$_id", "v": "$v"}}, {"last": 4, "v": 5.5}),
    ({"$mergeObjects": "$v.x"}, {}),
    ({"$concatArrays": "$t"}, ["x", "x", "z"]),
    ({"$setUnion": "$t"}, ["x", "z"]),
    ({"$count": {}}, 3),
    ({"$stdDevPop": "$v"}, 1.25),
    ({"$stdDevSamp": "$v"}, 1.7677669529663689),
    ({"$firstN": {"n": 2, "input": "$missing"}}, [None, None]),
    ({"$lastN": {"n": 2, "input": "$v"}}, [None, 5.5]),
    ({"$minN": {"n": 5, "input": "$v"}}, [3, 5.5]),
    ({"$maxN": {"n": 1, "input": "$v"}}, [5.5]),
    ({"$top": {"sortBy": {"v": 1}, "output": "$_id"}}, 3),
    ({"$bottom": {"sortBy": {"v": 1}, "output": ["$_id", "$v"]}}, [4, 5.5]),
    ({"$topN": {"n": 2, "sortBy": {"v": -1}, "output": "$_id"}}, [4, 1]),
    ({"$bottomN": {"n": 2, "sortBy": {"v": -1}, "output": "$missing"}}, [None, None]),
    ({"$percentile": {"input": "$v", "p": [0.5, 1], "method": "approximate"}}, [3.0, 5.5]),
    ({"$median": {"input": "$v", "method": "approximate"}}, 3.0),
]


@pytest.mark.parametrize(("accumulator", "expected"), ACCUMULATORS)
def test_accumulators_make_one_value_of_a_group(accumulator: dict[str, Any], expected: Any) -> None:
    """Of the three documents of group a."""
    found = of_group(accumulator)
    assert found == expected
    assert type(found) is type(expected)


def test_a_group_is_made_for_each_value_of_its_id() -> None:
    """Equal numbers are one group, of the first one's type; missing counts as null."""
    docs: list[dict[str, Any]] = [
        {"k": Int64(1)},
        {"k": 1.0},
        {},
        {"k": None},
        {"k": Decimal128("1")},
        {"k": {"a": 1}},
    ]
    found = run([{"$group": {"_id": "$k", "n": {"$count": {}}}}], docs)
    assert found == [{"_id": Int64(1), "n": 3}, {"_id": None, "n": 2}, {"_id": {"a": 1}, "n": 1}]
    assert type(found[0]["_id"]) is Int64
    assert run([{"$group": {"_id": {"a": "$k", "b": "$z"}}}], [{"k": 1}]) == [{"_id": {"a": 1}}]
    assert run([{"$group": {"_id": None, "n": {"$sum": 1}}}], []) == []


def test_the_number_of_elements_may_come_from_the_group() -> None:
    """`n` is an expression over the group's _id."""
    docs = [{"k": {"n": n}, "v": v} for n in (1, 2) for v in (7, 8, 9)]
    found = run([{"$group": {"_id": "$k", "r": {"$firstN": {"n": "$n", "input": "$v"}}}}], docs)
    assert [group["r"] for group in found] == [[7], [7, 8]]


def test_what_cannot_be_evaluated_is_refused_and_the_rest_is_grouped() -> None:
    """A document with its place; a group whose accumulator fails with its _id."""
    stages = [{"$group": {"_id": "$g", "r": {"$sum": {"$divide": [6, "$v"]}}}}]
    refused, group = run(stages, [{"g": "a", "v": 0}, {"g": "a", "v": 3}])
    assert (refused.path, refused.doc) == ("pipeline[0].$group.r.$sum.$divide", {"g": "a", "v": 0})
    assert group == {"_id": "a", "r": 2.0}
    refused = of_group({"$mergeObjects": "$v"})
    assert (refused.operator, refused.doc) == ("$group", {"_id": "a"})
    assert "requires object inputs" in refused.reason
    assert "requires array inputs" in of_group({"$concatArrays": "$v"}).reason


def test_group_refuses_mistakes_at_start() -> None:
    """Each at its place."""
    place = "pipeline[0].$group"
    assert problem({"$group": {}}) == (place, "the field '_id' is missing")
    assert problem({"$group": 1})[0] == place
    for name in ("a.b", "$a", ""):
        assert problem({"$group": {"_id": 1, name: {"$sum": 1}}})[0] == f"{place}.{name}"
    assert problem({"$group": {"_id": 1, "a": 1}})[0] == f"{place}.a"
    assert problem({"$group": {"_id": 1, "a": {"$sum": 1, "$avg": 1}}})[0] == f"{place}.a"
    assert problem({"$group": {"_id": 1, "a": {"$summ": 1}}}) == (
        f"{place}.a.$summ",
        "unknown accumulator $summ",
    )
    assert problem({"$group": {"_id": 1, "a": {"$last": []}}})[0] == f"{place}.a.$last"
    assert problem({"$group": {"_id": "$a..b"}})[0] == f"{place}._id"
    assert problem({"$group": {"_id": 1, "a": {"$count": 1}}})[0] == f"{place}.a.$count"
    assert (
        problem({"$group": {"_id": 1, "a": {"$firstN": {"n": 0, "input": 1}}}})[0] == f"{place}.a.$firstN.n"
    )
    assert problem({"$group": {"_id": 1, "a": {"$firstN": {"n": 1}}}})[0] == f"{place}.a.$firstN"
    assert problem({"$group": {"_id": 1, "a": {"$top": {"sortBy": {}, "output": 1}}}})[0].endswith(
        "$top.sortBy"
    )
    median = {"input": 1, "method": "exact"}
    assert problem({"$group": {"_id": 1, "a": {"$median": median}}})[0] == f"{place}.a.$median"


def order(spec: dict[str, Any], *docs: dict[str, Any]) -> list[int]:
    """The places that documents had before they were sorted."""
    found = run([{"$sort": spec}], [{"n": n, **doc} for n, doc in enumerate(docs)])
    return [doc["n"] for doc in found]


def test_sort_follows_the_order_of_bson() -> None:
    """Across types; missing is null; equal ones keep their order; of arrays the lowest, or the highest."""
    date = datetime(2024, 1, 1, tzinfo=UTC)
    mixed: list[Any] = [date, "b", 5, None, {"x": 1}, True, 1.5, b"x", []]
    assert order({"v": 1}, *({"v": v} for v in mixed)) == [8, 3, 6, 2, 1, 4, 7, 5, 0]
    assert order({"v": -1}, *({"v": v} for v in mixed)) == [0, 5, 7, 4, 1, 2, 6, 3, 8]
    assert order({"v": 1}, {"v": None}, {}, {"v": None}) == [0, 1, 2]
    assert order({"v": 1}, {"v": [5, 1]}, {"v": 2}, {"v": [3]}) == [0, 1, 2]
    assert order({"v": -1}, {"v": [5, 1]}, {"v": 2}, {"v": [3]}) == [0, 2, 1]
    assert order({"a.b": 1}, {"a": [{"b": 3}, {"b": 0}]}, {"a": {"b": 1}}, {"a": 5}) == [2, 0, 1]
    assert order({"a.1": 1}, {"a": [0, 9]}, {"a": [9, 0]}) == [1, 0]
    assert order({"g": -1, "v": 1}, {"g": 1, "v": 2}, {"g": 2, "v": 2}, {"g": 2, "v": 1}) == [2, 1, 0]
    assert order({"v": 1.999}, {"v": 2}, {"v": 1}) == [1, 0]


def test_sort_limit_and_skip_refuse_mistakes_at_start() -> None:
    """Each at its place."""
    assert problem({"$sort": {}})[0] == "pipeline[0].$sort"
    for side in (0, 2, True, "1", {"$meta": "textScore"}, None):
        assert problem({"$sort": {"a": side}})[0] == "pipeline[0].$sort.a"
    assert problem({"$sort": {"a..b": 1}})[0] == "pipeline[0].$sort.a..b"
    assert problem({"$sort": {f"f{n}": 1 for n in range(33)}})[1] == "33 fields"
    for number in (0, -1, 1.5, "1", None, 2**63):
        assert problem({"$limit": number})[0] == "pipeline[0].$limit"
    for number in (-1, 1.5, "1"):
        assert problem({"$skip": number})[0] == "pipeline[0].$skip"


def test_limit_skip_and_count() -> None:
    """Of what came through the stages before."""
    docs = [{"n": n} for n in range(5)]
    assert run([{"$skip": 1}, {"$limit": 2.0}], docs) == [{"n": 1}, {"n": 2}]
    assert run([{"$skip": 0}, {"$match": {"n": {"$gt": 2}}}, {"$count": "many"}], docs) == [{"many": 2}]
    assert run([{"$match": {"n": 9}}, {"$count": "many"}], docs) == []
    for name in ("", "$a", "a.b", "a\0", "_id", 1):
        assert problem({"$count": name})[0] == "pipeline[0].$count"


def test_sort_by_count_puts_the_most_frequent_first() -> None:
    """Of an expression's values."""
    docs = [{"a": "x"}, {"a": "y"}, {"a": "y"}]
    assert run([{"$sortByCount": "$a"}], docs) == [{"_id": "y", "count": 2}, {"_id": "x", "count": 1}]
    assert run([{"$sortByCount": {"$toUpper": "$a"}}], docs)[0] == {"_id": "Y", "count": 2}
    for spec in ("a", 1, {"a": "$a"}, {}):
        assert problem({"$sortByCount": spec})[0] == "pipeline[0].$sortByCount"


def test_buckets_hold_what_lies_between_their_bounds() -> None:
    """From the lower bound up to, but not, the next; sorted by bound; the rest in the default's."""
    docs = [{"p": p} for p in (0, 9.99, 10, 99, 100, -1, "x", None)]
    stage: dict[str, Any] = {"groupBy": "$p", "boundaries": [0, 10, 100], "default": "other"}
    assert run([{"$bucket": stage}], docs) == [
        {"_id": 0, "count": 2},
        {"_id": 10, "count": 2},
        {"_id": "other", "count": 4},
    ]
    stage = {"groupBy": "$p", "boundaries": [0, 10], "output": {"top": {"$max": "$p"}}}
    refused, bucket = run([{"$bucket": stage}], [{"p": 5}, {"p": 10}])
    assert bucket == {"_id": 0, "top": 5}
    assert "outside of its boundaries" in refused.reason


def test_bucket_refuses_mistakes_at_start() -> None:
    """Each at its place."""
    place = "pipeline[0].$bucket"

    def wrong(**fields: Any) -> str:
        return problem({"$bucket": {"groupBy": "$p", "boundaries": [0, 10]} | fields})[0]

    assert problem({"$bucket": {"groupBy": "$p"}})[0] == place
    assert wrong(groupBy=42) == wrong(groupBy="p") == f"{place}.groupBy"
    assert wrong(boundaries=[1]) == wrong(boundaries=["$a", 5]) == f"{place}.boundaries"
    assert wrong(boundaries=[1, "x"]) == f"{place}.boundaries"
    assert wrong(boundaries=[1, 3, 3]) == f"{place}.boundaries[2]"
    assert wrong(default=5) == wrong(default="$x") == f"{place}.default"
    assert wrong(output=1) == f"{place}.output"
    assert wrong(output={"a": {"$nope": 1}}) == f"{place}.output.a.$nope"
    assert wrong(buckets=3) == f"{place}.buckets"


def test_stages_between_see_documents_and_their_meta() -> None:
    """Refused ones come first; meta goes as far as the first stage over the list."""
    stages: list[dict[str, Any]] = [
        {"$unwind": "$a"},
        {"$set": {"t": {"$meta": "stream.source.topic"}, "q": {"$divide": [6, "$a"]}}},
        {"$sort": {"q": 1}},
        {"$set": {"after": {"$meta": "stream.source.topic"}}},
    ]
    (segment,) = compile_stages(stages).segments
    assert segment.is_whole
    refused, *docs = segment.run([{"a": [1, 0]}, {"a": [3]}, {"a": []}], [Meta({"topic": "t"})] * 3)
    assert isinstance(refused, Refused)
    assert docs == [{"a": 3, "t": "t", "q": 2.0}, {"a": 1, "t": "t", "q": 6.0}]


def test_a_processor_has_no_stage_over_a_list() -> None:
    """A stream has no end to wait for: refused by name, with what to do."""
    for name, stage in EVAL_STAGES.items():
        with pytest.raises(Invalid, match="not in Penstock yet"):
            compile_processor(
                [
                    {"$source": {"connectionName": "k", "topic": "t"}},
                    dict(stage.example),
                    {"$emit": {"connectionName": "k", "topic": "o"}},
                ]
            )
        assert name in stage.syntax
        assert compile_stages([dict(stage.example)]).segments[0].is_whole
