"""`$group $bucket $sortByCount $count`: one document out of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from workers.errors import Poison
from workers.model import Document, Refused
from workers.pipeline.eval_stages.accumulate import Accumulator, parse_accumulator
from workers.pipeline.evaluator import evaluator
from workers.pipeline.nodes import Const
from workers.pipeline.parse import describe
from workers.pipeline.spec import StageSpec, StageType, Steps
from workers.pipeline.values import MISSING, bracket, compare, sort_key, type_name

_GROUP: Final = "{$group: {_id: <expression>, <field>: {<accumulator>: <expression>}, ...}}"
_BUCKET: Final = (
    "{$bucket: {groupBy: <expression>, boundaries: [<lowest>, ..., <end>], default?: <value>, "
    "output?: {<field>: {<accumulator>: <expression>}, ...}}}"
)
_BUCKET_FIELDS: Final = ("groupBy", "boundaries", "default", "output")

Key = Callable[[Document], Any]
"""Which group a document belongs to. Raises Poison."""


@dataclass(slots=True)
class _Group:
    """A group under way: its `_id` and, for each accumulator, what was taken of each document."""

    key: Any
    values: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Grouping:
    """What a grouping stage does with a list of documents."""

    operator: str
    path: str
    key: Key
    accumulators: Mapping[str, Accumulator]

    def __call__(self, docs: list[Document]) -> list[Document | Refused]:
        """A document a group, in the order in which groups were met. What cannot be evaluated is refused."""
        groups: dict[tuple[Any, ...], _Group] = {}
        found: list[Document | Refused] = []
        for doc in docs:
            try:
                self._take(doc, groups)
            except Poison as error:
                found.append(self._refused(error, doc))
        for group in groups.values():
            made: Document = {"_id": group.key}
            try:
                for (name, accumulator), values in zip(self.accumulators.items(), group.values, strict=True):
                    made[name] = accumulator.finish(values, group.key)
            except Poison as error:
                found.append(self._refused(error, {"_id": group.key}))
            else:
                found.append(made)
        return found

    def _take(self, doc: Document, groups: dict[tuple[Any, ...], _Group]) -> None:
        key = self.key(doc)
        key = None if key is MISSING else key
        taken = [accumulator.value(doc) for accumulator in self.accumulators.values()]
        group = groups.setdefault(sort_key(key), _Group(key, [[] for _ in taken]))
        for values, value in zip(group.values, taken, strict=True):
            values.append(value)

    def _refused(self, error: Poison, doc: Document) -> Refused:
        return Refused(error.reason, self.operator, error.at or self.path, doc)


def _accumulators(steps: Steps, spec: Mapping[str, Any], path: str) -> dict[str, Accumulator]:
    found: dict[str, Accumulator] = {}
    for name, inner in spec.items():
        place = f"{path}.{name}"
        if not isinstance(name, str) or not name or "." in name or name.startswith("$"):
            steps.wrong(place, f"the field name {name!r}", "a name without '.' that does not begin with '$'")
            continue
        accumulator = parse_accumulator(steps, inner, place)
        if accumulator is not None:
            found[name] = accumulator
    return found


def _key(steps: Steps, spec: Any, path: str) -> Key:
    evaluate = evaluator(steps.expression(spec, path))
    return lambda doc: evaluate(doc, None)


def _parse_group(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    if not isinstance(spec, Mapping):
        steps.wrong(path, describe(spec), _GROUP)
        return None
    if "_id" not in spec:
        steps.wrong(path, "the field '_id' is missing", _GROUP)
        return None
    key = _key(steps, spec["_id"], f"{path}._id")
    rest = {name: inner for name, inner in spec.items() if name != "_id"}
    accumulators = _accumulators(steps, rest, path)
    return StageSpec("$group", path, whole=_Grouping("$group", path, key, accumulators))


_COUNT: Final = Accumulator(lambda doc: None, lambda values, _id: len(values))


def _parse_sort_by_count(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    if not _is_expression(spec):
        steps.wrong(path, describe(spec), "a field as $a, or an operator")
        return None
    group = _Grouping("$sortByCount", path, _key(steps, spec, path), {"count": _COUNT})

    def whole(docs: list[Document]) -> list[Document | Refused]:
        found = group(docs)
        return sorted(found, key=lambda one: 0 if isinstance(one, Refused) else -one["count"])

    return StageSpec("$sortByCount", path, whole=whole)


def _is_expression(spec: Any) -> bool:
    """A field or an operator; values on their own make no groups."""
    if isinstance(spec, Mapping):
        return len(spec) == 1 and str(next(iter(spec))).startswith("$")
    return spec.__class__ is str and spec.startswith("$")


def _parse_count(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    is_name = spec.__class__ is str and spec and not spec.startswith("$")
    if not is_name or "." in spec or "\0" in spec or spec == "_id":
        steps.wrong(path, describe(spec), "the name of a field, without '.' and '$', and not _id")
        return None
    return StageSpec("$count", path, whole=lambda docs: [{spec: len(docs)}] if docs else [])


def _parse_bucket(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    if not isinstance(spec, Mapping) or "groupBy" not in spec or "boundaries" not in spec:
        steps.wrong(path, "no document of groupBy and boundaries", _BUCKET)
        return None
    for name in spec:
        if name not in _BUCKET_FIELDS:
            steps.wrong(f"{path}.{name}", f"$bucket has no field {name!r}", _BUCKET)
    if not _is_expression(spec["groupBy"]):
        steps.wrong(f"{path}.groupBy", describe(spec["groupBy"]), "a field as $a, or an operator")
        return None
    value = _key(steps, spec["groupBy"], f"{path}.groupBy")
    bounds = _boundaries(steps, spec["boundaries"], f"{path}.boundaries")
    output = spec.get("output", {"count": {"$sum": 1}})
    if not isinstance(output, Mapping):
        steps.wrong(f"{path}.output", describe(output), "a document of accumulators")
        return None
    accumulators = _accumulators(steps, output, f"{path}.output")
    if bounds is None:
        return None
    other = _other(steps, spec["default"], bounds, f"{path}.default") if "default" in spec else MISSING
    group = _Grouping("$bucket", path, lambda doc: _bucket(value(doc), bounds, other), accumulators)

    def whole(docs: list[Document]) -> list[Document | Refused]:
        found = group(docs)
        made = [one for one in found if not isinstance(one, Refused)]
        refused = [one for one in found if isinstance(one, Refused)]
        return [*refused, *sorted(made, key=lambda one: sort_key(one["_id"]))]

    return StageSpec("$bucket", path, whole=whole)


def _boundaries(steps: Steps, spec: Any, path: str) -> list[Any] | None:
    """At least two constants of one type, each above the one before."""
    node = steps.expression(spec, path)
    if not isinstance(node, Const) or not isinstance(node.value, list) or len(node.value) < 2:
        steps.wrong(path, "no array of at least two constants", _BUCKET)
        return None
    bounds = node.value
    for place, (low, high) in enumerate(pairwise(bounds)):
        if bracket(low) != bracket(high):
            steps.wrong(path, f"{type_name(low)} beside {type_name(high)}", "values of one type")
            return None
        if compare(low, high) >= 0:
            steps.wrong(
                f"{path}[{place + 1}]", "a value that is not above the one before", "ascending values"
            )
            return None
    return bounds


def _other(steps: Steps, spec: Any, bounds: list[Any], path: str) -> Any:
    node = steps.expression(spec, path)
    if not isinstance(node, Const):
        return steps.wrong(path, "an expression that needs data", "a constant").value
    if compare(node.value, bounds[0]) >= 0 and compare(node.value, bounds[-1]) < 0:
        steps.wrong(path, "a value within the boundaries", "one below the lowest, or at or above the last")
    return node.value


def _bucket(value: Any, bounds: list[Any], other: Any) -> Any:
    """The lower bound of the bucket that the value is in."""
    value = None if value is MISSING else value
    if compare(value, bounds[0]) >= 0 and compare(value, bounds[-1]) < 0:
        return next(low for low in reversed(bounds[:-1]) if compare(value, low) >= 0)
    if other is MISSING:
        raise Poison("$bucket found a value outside of its boundaries, and no default was given")
    return other


STAGES: Final[dict[str, StageType]] = {
    "$group": StageType(
        name="$group",
        parse=_parse_group,
        meaning="Gives one document for each value of `_id`, with accumulators over the group's documents.",
        syntax=_GROUP,
        example={"$group": {"_id": "$country", "total": {"$sum": "$price"}, "orders": {"$count": {}}}},
    ),
    "$bucket": StageType(
        name="$bucket",
        parse=_parse_bucket,
        meaning="Gives one document for each bucket that has documents, by the bucket's lower bound.",
        syntax=_BUCKET,
        example={"$bucket": {"groupBy": "$price", "boundaries": [0, 10, 100], "default": "dear"}},
    ),
    "$sortByCount": StageType(
        name="$sortByCount",
        parse=_parse_sort_by_count,
        meaning="Counts the documents for each value, the most frequent first.",
        syntax="{$sortByCount: <expression>}",
        example={"$sortByCount": "$country"},
    ),
    "$count": StageType(
        name="$count",
        parse=_parse_count,
        meaning="Counts the documents; none give no count.",
        syntax="{$count: <field>}",
        example={"$count": "orders"},
    ),
}
