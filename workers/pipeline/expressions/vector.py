"""`$similarityCosine $similarityDotProduct $similarityEuclidean`: how near two vectors of numbers are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from bson import Binary
from bson.binary import VECTOR_SUBTYPE

from workers.errors import Poison
from workers.pipeline.binary import numbers_of_vector
from workers.pipeline.nodes import Call, Const, Custom, Example, Node, Operator, Parsing, Scope
from workers.pipeline.parse import describe
from workers.pipeline.values import is_nullish, is_number, type_name

Measure = Callable[[Sequence[float], Sequence[float]], float]


def _vector(value: Any, operator: str) -> list[float]:
    if isinstance(value, Binary) and value.subtype == VECTOR_SUBTYPE:
        try:
            return [float(item) for item in numbers_of_vector(value)]
        except ValueError as error:
            raise Poison(f"{operator}: no vector: {error}") from None
    if value.__class__ is not list:
        raise Poison(f"{operator} needs arrays of numbers or vectors, not {type_name(value)}")
    for item in value:
        if not is_number(item):
            raise Poison(f"{operator} needs arrays of numbers, found {type_name(item)}")
    return [float(str(item)) for item in value]


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    return math.fsum(one * other for one, other in zip(left, right, strict=True))


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    """0 where one of them has no length."""
    length = math.hypot(*left) * math.hypot(*right)
    return _dot(left, right) / length if length else 0.0


def _score_of_product(raw: float) -> float:
    return (1.0 + raw) / 2.0


def _score_of_distance(raw: float) -> float:
    return 1.0 / (1.0 + raw)


def _compared(name: str, measure: Measure, score: Callable[[float], float]) -> Callable[..., Any]:
    def compared(left: Any, right: Any, scored: Any) -> float | None:
        if scored.__class__ is not bool:
            raise Poison(f"{name} needs 'score' to be true or false, not {type_name(scored)}")
        if is_nullish(left) or is_nullish(right):
            return None
        one, other = _vector(left, name), _vector(right, name)
        if len(one) != len(other):
            raise Poison(f"{name} needs vectors of one length, found {len(one)} and {len(other)} numbers")
        try:
            raw = measure(one, other)
        except (OverflowError, ValueError):  # infinities, and what their sum is not
            raw = math.nan
        return score(raw) if scored else raw

    return compared


def _operator(name: str, measure: Measure, score: Callable[[float], float], meaning: str) -> Operator:
    both = "[<vector>, <vector>]"
    syntax = f"{{{name}: {both}}} or {{{name}: {{vectors: {both}, score?: true | false}}}}"

    def parse(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
        vectors, at, scored = spec, path, Const(False, path)
        if isinstance(spec, dict):
            for field in spec:
                if field not in ("vectors", "score"):
                    return parsing.wrong(f"{path}.{field}", f"{name} has no field {field!r}", syntax)
            vectors, at = spec.get("vectors"), f"{path}.vectors"
            scored = Const(spec.get("score", False), f"{path}.score")
            if not isinstance(scored.value, bool):
                return parsing.wrong(scored.path, describe(scored.value), "true or false")
        if not isinstance(vectors, list) or len(vectors) != 2:
            return parsing.wrong(at, describe(vectors), syntax)
        args = [parsing.expression(one, f"{at}[{number}]", scope) for number, one in enumerate(vectors)]
        return Call(made, (*args, scored), path)

    vector = [3.0, 4.0]
    made = Operator(
        name=name,
        signature=Custom(parse, syntax),
        meaning=f"{meaning} of two vectors; as a score from 0 to 1 where `score` is true.",
        example=Example({name: ["$a", vector]}, measure([3.0, 4.0], vector), {"a": [3, 4]}),
        function=_compared(name, measure, score),
    )
    return made


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        _operator("$similarityCosine", _cosine, _score_of_product, "The cosine of the angle"),
        _operator("$similarityDotProduct", _dot, _score_of_product, "The dot product"),
        _operator("$similarityEuclidean", math.dist, _score_of_distance, "The distance"),
    )
}
