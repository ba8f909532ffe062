"""The accumulators of `$group` and `$bucket`: one value out of all documents of a group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workers.errors import Poison
from workers.model import Document
from workers.pipeline.accumulators import ends, spread, statistics
from workers.pipeline.eval_stages.order import in_order, parse_keys
from workers.pipeline.evaluator import evaluator
from workers.pipeline.expressions.set import distinct
from workers.pipeline.nearest import nearest
from workers.pipeline.nodes import Const
from workers.pipeline.parse import describe
from workers.pipeline.spec import Steps
from workers.pipeline.values import MISSING, is_nullish, type_name


@dataclass(frozen=True, slots=True)
class Accumulator:
    """`value` is taken of each document (MISSING included) and `finish` makes the result of all of a group's,
    beside the group's `_id`. Both raise Poison."""

    value: Callable[[Document], Any]
    finish: Callable[[list[Any], Any], Any]


Parse = Callable[[Steps, str, Any, str], Accumulator | None]


def parse_accumulator(steps: Steps, spec: Any, path: str) -> Accumulator | None:
    """`{$sum: <expression>}`; None where it is wrong."""
    if not isinstance(spec, Mapping) or len(spec) != 1:
        steps.wrong(path, describe(spec), "a document of one accumulator, as {$sum: 1}")
        return None
    ((name, inner),) = spec.items()
    parse = _PARSERS.get(name)
    if parse is None:
        hint = nearest(str(name), _PARSERS)
        steps.wrong(f"{path}.{name}", f"unknown accumulator {name}", hint and f"did you mean {hint}?")
        return None
    if isinstance(inner, list):
        steps.wrong(f"{path}.{name}", "an array", f"the one argument of {name}")
        return None
    return parse(steps, name, inner, f"{path}.{name}")


def _value(steps: Steps, spec: Any, path: str) -> Callable[[Document], Any]:
    evaluate = evaluator(steps.expression(spec, path))
    return lambda doc: evaluate(doc, None)


def _single(finish: Callable[[list[Any]], Any]) -> Parse:
    def parse(steps: Steps, name: str, spec: Any, path: str) -> Accumulator:
        return Accumulator(_value(steps, spec, path), lambda values, _id: finish(values))

    return parse


def _first(values: Sequence[Any]) -> Any:
    return None if values[0] is MISSING else values[0]


def _last(values: Sequence[Any]) -> Any:
    return None if values[-1] is MISSING else values[-1]


def _pushed(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if value is not MISSING]


def _as_set(values: Iterable[Any]) -> list[Any]:
    return list(distinct(_pushed(values)).values())


def _merged(values: Iterable[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for value in values:
        if is_nullish(value):
            continue
        if value.__class__ is not dict:
            raise Poison(f"$mergeObjects requires object inputs, but got one of type {type_name(value)}")
        found.update(value)
    return found


def _arrays(name: str, values: Iterable[Any]) -> list[Any]:
    """The elements of every array; missing ones do not count."""
    found: list[Any] = []
    for value in values:
        if value is MISSING:
            continue
        if value.__class__ is not list:
            raise Poison(f"{name} requires array inputs, but got one of type {type_name(value)}")
        found += value
    return found


def _fields(
    steps: Steps, name: str, spec: Any, path: str, names: tuple[str, ...]
) -> Mapping[str, Any] | None:
    """A document of exactly these fields."""
    wanted = f"{{{name}: {{{', '.join(f'{field}: ...' for field in names)}}}}}"
    if not isinstance(spec, Mapping) or spec.keys() != set(names):
        steps.wrong(
            path, "a document of other fields" if isinstance(spec, Mapping) else describe(spec), wanted
        )
        return None
    return spec


def _parse_count(steps: Steps, name: str, spec: Any, path: str) -> Accumulator | None:
    if spec != {} or not isinstance(spec, Mapping):
        steps.wrong(path, describe(spec), "{$count: {}}")
        return None
    return Accumulator(lambda doc: None, lambda values, _id: len(values))


def _amount(steps: Steps, name: str, spec: Any, path: str) -> Callable[[Any], int]:
    """`n`, which may be an expression over the group's `_id`."""
    node = steps.expression(spec, path)
    if isinstance(node, Const):
        try:
            ends.how_many(node.value, name)
        except Poison as error:
            steps.wrong(path, error.reason)
    evaluate = evaluator(node)
    return lambda key: ends.how_many(evaluate(key if isinstance(key, dict) else {}, None), name)


def _parse_n(steps: Steps, name: str, spec: Any, path: str) -> Accumulator | None:
    fields = _fields(steps, name, spec, path, ("n", "input"))
    if fields is None:
        return None
    amount, take = _amount(steps, name, fields["n"], f"{path}.n"), ends.N_OF_VALUES[name]
    value = _value(steps, fields["input"], f"{path}.input")
    return Accumulator(value, lambda values, key: take(values, amount(key)))


def _parse_top(steps: Steps, name: str, spec: Any, path: str) -> Accumulator | None:
    """The values are pairs of document and output."""
    has_n = name.endswith("N")
    fields = _fields(steps, name, spec, path, ("n", "sortBy", "output") if has_n else ("sortBy", "output"))
    if fields is None:
        return None
    keys = parse_keys(steps, fields["sortBy"], f"{path}.sortBy")
    output = _value(steps, fields["output"], f"{path}.output")
    amount = _amount(steps, name, fields["n"], f"{path}.n") if has_n else None
    if keys is None:
        return None
    from_top = name.startswith("$top")

    def finish(pairs: list[Any], key: Any) -> Any:
        outputs = [None if pair[1] is MISSING else pair[1] for pair in in_order(pairs, keys, lambda p: p[0])]
        if amount is None:
            return outputs[0 if from_top else -1]
        count = amount(key)
        return outputs[:count] if from_top else outputs[-count:]

    return Accumulator(lambda doc: (doc, output(doc)), finish)


def _parse_percentile(steps: Steps, name: str, spec: Any, path: str) -> Accumulator | None:
    is_median = name == "$median"
    fields = _fields(steps, name, spec, path, ("input", "method") if is_median else ("input", "p", "method"))
    if fields is None:
        return None
    value = _value(steps, fields["input"], f"{path}.input")
    shares_node = steps.expression([0.5] if is_median else fields["p"], f"{path}.p")
    try:
        spread.check_method(fields["method"], name)
        shares = spread.checked_shares(shares_node.value if isinstance(shares_node, Const) else None, name)
    except Poison as error:
        steps.wrong(path, error.reason)
        return None

    def finish(values: list[Any], _id: Any) -> Any:
        found = spread.percentiles(values, shares)
        return found[0] if is_median else found

    return Accumulator(value, finish)


_PARSERS: Final[Mapping[str, Parse]] = {
    "$sum": _single(statistics.total_of),
    "$avg": _single(statistics.average_of),
    "$min": _single(statistics.lowest_of),
    "$max": _single(statistics.highest_of),
    "$first": _single(_first),
    "$last": _single(_last),
    "$push": _single(_pushed),
    "$addToSet": _single(_as_set),
    "$mergeObjects": _single(_merged),
    "$concatArrays": _single(lambda values: _arrays("$concatArrays", values)),
    "$setUnion": _single(lambda values: list(distinct(_arrays("$setUnion", values)).values())),
    "$stdDevPop": _single(spread.deviation_of_all),
    "$stdDevSamp": _single(spread.deviation_of_sample),
    "$count": _parse_count,
    "$firstN": _parse_n,
    "$lastN": _parse_n,
    "$minN": _parse_n,
    "$maxN": _parse_n,
    "$top": _parse_top,
    "$topN": _parse_top,
    "$bottom": _parse_top,
    "$bottomN": _parse_top,
    "$percentile": _parse_percentile,
    "$median": _parse_percentile,
}

ACCUMULATORS: Final = tuple(_PARSERS)
"""Their names."""
