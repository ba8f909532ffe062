"""The generated source: what is read once, where constants go, and what meta a segment asks for."""

from __future__ import annotations

from typing import Any

from workers.model import Emission, Meta, Refused
from workers.pipeline import compile_processor, compile_stages
from workers.pipeline.emit import Emitter

SOURCE: dict[str, Any] = {"$source": {"connectionName": "kafka", "topic": "orders"}}
META = Meta({"topic": "orders", "offset": 7, "headers": [{"k": "a", "v": b"x"}]})


def source_of(*stages: dict[str, Any]) -> str:
    """The generated Python of one segment."""
    return compile_stages(stages).segments[0].source_text


def test_a_field_is_read_once_over_all_stages() -> None:
    """Until a stage sets it; what was set is known without reading."""
    text = source_of(
        {"$set": {"x": {"$add": ["$a.b", "$a.b"]}}},
        {"$set": {"y": {"$add": ["$a.b", "$x"]}}},
        {"$match": {"$expr": True}},
    )
    assert text.count(".get('a', M)") == 1
    assert ".get('x', M)" not in text


def test_a_field_that_was_set_is_not_remembered_from_before() -> None:
    """The second stage sees the first one's value."""
    (segment,) = compile_stages([{"$set": {"x": "$a"}}, {"$set": {"a": 2}}, {"$set": {"y": "$a"}}]).segments
    assert segment.run([{"a": 1}], None) == [{"a": 2, "x": 1, "y": 2}]


def test_a_field_of_the_document_is_read_before_the_loop_that_needs_it() -> None:
    """Once a document, not once an element; also in loops within loops and lazy branches."""
    inner = {
        "$map": {"input": "$b", "as": "n", "in": {"$cond": ["$k", {"$add": ["$$m", "$$n", "$o.p"]}, "$k"]}}
    }
    stage = {"$set": {"r": {"$map": {"input": "$a", "as": "m", "in": inner}}}}
    lines = source_of(stage).splitlines()
    loop = next(i for i, line in enumerate(lines) if "for x" in line)
    for field in ("'b'", "'k'", "'o'"):
        (read,) = (i for i, line in enumerate(lines) if f".get({field}, M)" in line)
        assert read < loop
    (segment,) = compile_stages([stage]).segments
    document = {"a": [1, 2], "b": [10], "k": True, "o": {"p": 100}}
    assert segment.run([document, {**document, "k": 0}], None) == [
        {**document, "r": [[111], [112]]},
        {**document, "k": 0, "r": [[0], [0]]},
    ]


def test_the_second_stage_changes_the_copy_of_the_first() -> None:
    """One copy a document, however many stages set fields."""
    text = source_of({"$set": {"x": 1}}, {"$set": {"y": 2}}, {"$unset": "z"}, {"$set": {"a.b": 3}})
    assert text.count("d0.copy()") == 1


def test_names_of_users_never_become_code() -> None:
    """Quotes, newlines, surrogates and Python in names and texts stay literals."""
    nasty = 'a\'"\\\n{}\ud800\u2028__import__("os")'
    (segment,) = compile_stages(
        [{"$match": {nasty: nasty}}, {"$set": {nasty + "2": f"${nasty}", "t": nasty}}]
    ).segments
    assert segment.run([{nasty: nasty}], None) == [{nasty: nasty, nasty + "2": nasty, "t": nasty}]


def test_constants_are_folded() -> None:
    """What is known at start is calculated at start."""
    text = source_of({"$set": {"day_ms": {"$multiply": [24, 3600, 1000]}}})
    assert "86400000" in text


def test_a_segment_that_reads_meta_asks_for_it() -> None:
    """Topic, offset and headers of the record each document came from."""
    fields = {
        "t": {"$meta": "stream.source.topic"},
        "k": {"$meta": "stream.source.headers.k"},
        "no": {"$meta": "stream.x"},
    }
    (segment,) = compile_stages([{"$set": fields}]).segments
    assert segment.needs_meta
    assert segment.run([{}], [META]) == [{"t": "orders", "k": ["a"]}]
    assert not compile_stages([{"$set": {"a": 1}}]).segments[0].needs_meta


def test_meta_in_emit_and_in_a_payload() -> None:
    """The engine is told to keep it, also where no stage reads it."""
    topic = {"$concat": ["out-", {"$meta": "stream.source.topic"}]}
    program = compile_processor([SOURCE, {"$emit": {"connectionName": "kafka", "topic": topic}}])
    assert program.segments[0].needs_meta
    assert program.sink is not None
    found = program.sink.emission({}, META, None, None)
    assert isinstance(found, Emission)
    assert found.topic == "out-orders"
    payload = [{"$project": {"o": {"$meta": "stream.source.offset"}}}]
    call = {"$externalFunction": {"connectionName": "aws", "functionName": "f", "payload": payload}}
    (site,) = compile_processor([SOURCE, call]).calls
    assert site.payload is not None
    assert site.payload({}, META) == {"o": 7}


def test_meta_is_read_in_functions_split_off_for_depth() -> None:
    """However deep it stands."""
    expression: Any = {"$meta": "stream.source.offset"}
    for _ in range(40):
        expression = {"$map": {"input": ["$one"], "in": expression}}
    (segment,) = compile_stages(
        [{"$set": {"x": {"$size": expression}, "y": {"$divide": [1, "$zero"]}}}]
    ).segments
    (found,) = segment.run([{"one": 1, "zero": 0}], [META])
    assert isinstance(found, Refused)
    assert found.path == "pipeline[0].$set.y.$divide"


def test_a_bound_name_never_hides_another() -> None:
    """Functions of one name, builtins and keywords, and the names that the generated function uses itself."""
    emitter = Emitter()

    def zip_() -> None: ...

    def and_() -> None: ...

    def docs() -> None: ...

    def other() -> None: ...

    other.__name__ = "docs"
    names = [emitter.function(function) for function in (zip_, and_, docs, other, zip_)]
    assert names[0] == names[4]
    assert len(set(names)) == 4
    assert not {"zip", "and", "docs"} & set(names)
    assert all(name.isidentifier() for name in names)


def test_only_filters_keep_the_very_document() -> None:
    """The engine passes the record's bytes on there, so nothing else may claim it."""
    keeping: list[dict[str, Any]] = [{"$match": {"a": 1}}, {"$validate": {"validator": {"a": 1}}}]
    changing: list[dict[str, Any]] = [
        {"$set": {"a": 1}},
        {"$unset": "a"},
        {"$project": {"a": 1}},
        {"$replaceWith": "$a"},
        {"$unwind": "$a"},
        {"$redact": "$$KEEP"},
    ]
    assert compile_stages(keeping).segments[0].keeps_documents
    for stage in changing:
        assert not compile_stages([*keeping, stage]).segments[0].keeps_documents, stage
