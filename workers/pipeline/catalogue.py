"""What the language has: every operator and stage, joined here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workers.pipeline.accumulators import ends, spread, statistics
from workers.pipeline.expressions import (
    arithmetic,
    array,
    bitwise,
    boolean,
    comparison,
    conditional,
    convert,
    date_arithmetic,
    date_build,
    date_parts,
    date_text,
    ejson,
    hash,
    literal,
    meta,
    object,
    powers,
    regex,
    rounding,
    search,
    sequence,
    set,
    size,
    string,
    supplied,
    timestamp,
    trigonometry,
    types,
    vector,
)
from workers.pipeline.nodes import Operator
from workers.pipeline.spec import StageType
from workers.pipeline.stages import match, project, redact, replace_root, stream_meta, unwind, validate

FAMILIES: Final[Mapping[str, Mapping[str, Operator]]] = {
    "arithmetic": arithmetic.OPERATORS,
    "array": array.OPERATORS,
    "bitwise": bitwise.OPERATORS,
    "boolean": boolean.OPERATORS,
    "comparison": comparison.OPERATORS,
    "conditional": conditional.OPERATORS,
    "conversion": {**convert.OPERATORS, **ejson.OPERATORS},
    "date": {
        **date_parts.OPERATORS,
        **date_build.OPERATORS,
        **date_arithmetic.OPERATORS,
        **date_text.OPERATORS,
    },
    "hash": hash.OPERATORS,
    "literal": literal.OPERATORS,
    "meta": meta.OPERATORS,
    "object": object.OPERATORS,
    "powers": powers.OPERATORS,
    "regex": regex.OPERATORS,
    "rounding": rounding.OPERATORS,
    "search": search.OPERATORS,
    "sequence": sequence.OPERATORS,
    "set": set.OPERATORS,
    "size": size.OPERATORS,
    "string": string.OPERATORS,
    "supplied": supplied.OPERATORS,
    "timestamp": timestamp.OPERATORS,
    "trigonometry": trigonometry.OPERATORS,
    "types": types.OPERATORS,
    "vector": vector.OPERATORS,
    "accumulators": {**statistics.OPERATORS, **spread.OPERATORS, **ends.OPERATORS},
}
"""Expressions by family, as the docs print them."""

OPERATORS: Final[Mapping[str, Operator]] = {
    name: operator for family in FAMILIES.values() for name, operator in family.items()
}


def operators(supply: supplied.Supply) -> Mapping[str, Operator]:
    """The same, with those that need time or chance taking it from the supply."""
    if supply is supplied.UNSUPPLIED:
        return OPERATORS
    return {**OPERATORS, **supplied.operators(supply)}


STAGES: Final[Mapping[str, StageType]] = {
    **match.STAGES,
    **project.STAGES,
    **redact.STAGES,
    **replace_root.STAGES,
    **stream_meta.STAGES,
    **unwind.STAGES,
    **validate.STAGES,
}
"""Stages that run within a segment."""

EDGE_STAGES: Final[Mapping[str, str]] = {
    "$source": "Names the topics that documents come from; the first stage.",
    "$externalFunction": "Calls a function with each document.",
    "$https": "Makes an HTTP request with each document.",
    "$throttle": (
        "Lets documents pass at a rate, in each engine process; the others wait, most of them in Kafka. No "
        "second sees more than 1.1 times the rate. Several may stand in a pipeline; `penstock eval` holds "
        "nothing back."
    ),
    "$emit": "Writes each document to a topic; the last stage.",
}
"""Stages that cut or end a pipeline, with their meaning."""

STAGES_NOT_YET: Final[Mapping[str, str]] = {
    "$lookup": "call a function that looks it up",
    "$cachedLookup": "call a function that looks it up",
    "$merge": "$emit to a topic, and a connector from there",
    "$out": "$emit to a topic",
    "$vectorSearch": "call a function that searches",
    "$tumblingWindow": "windows are to come",
    "$hoppingWindow": "windows are to come",
    "$sessionWindow": "windows are to come",
    "$group": "it needs a window",
    "$sort": "it needs a window",
    "$limit": "it needs a window",
    "$skip": "it needs a window",
    "$count": "it needs a window",
    "$bucket": "it needs a window",
    "$sortByCount": "it needs a window",
    "$iceberg": "$emit to a topic, and a connector from there",
    **dict.fromkeys(
        ("$bucketAuto", "$densify", "$facet", "$fill", "$sample", "$setWindowFields"),
        "it needs all documents, which a stream never has",
    ),
    **dict.fromkeys(
        (
            "$documents",
            "$geoNear",
            "$graphLookup",
            "$rankFusion",
            "$scoreFusion",
            "$search",
            "$searchMeta",
            "$unionWith",
        ),
        "it reads a collection; call a function that does",
    ),
}
"""Stages of Atlas and of the server that are refused by name, each with what to do instead."""

EXPRESSIONS_NOT_YET: Final[Mapping[str, str]] = {
    "$function": "is not in Penstock yet: call a function with $externalFunction",
    "$sampleRate": "is not supported: a stream's results must not change when a record is read again",
    **dict.fromkeys(
        ("$encStrContains", "$encStrEndsWith", "$encStrNormalizedEq", "$encStrStartsWith"),
        "is not supported: it asks an encrypted field of a collection",
    ),
}
"""Expressions that are refused by name, and why."""
