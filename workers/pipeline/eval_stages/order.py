"""`$sort $limit $skip`: which documents, in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from workers.model import Document
from workers.pipeline.match.numbers import truncated
from workers.pipeline.parse import describe
from workers.pipeline.paths import Parts, fault, split
from workers.pipeline.spec import StageSpec, StageType, Steps, Whole
from workers.pipeline.values import INT64_MAX, MISSING, sort_key, whole_number

Keys: TypeAlias = tuple[tuple[Parts, bool], ...]
"""What to sort by: a path, and whether the highest comes first."""

MAX_SORT_FIELDS: Final = 32

# What the server sorts an empty array as: undefined, which is above MinKey and below null.
_EMPTY_ARRAY: Final = (0, "empty array")
_SYNTAX: Final = "{$sort: {<field>: 1 or -1, ...}}"


def parse_keys(steps: Steps, spec: Any, path: str) -> Keys | None:
    """A specification of an order; None where it is wrong."""
    if not isinstance(spec, Mapping) or not spec:
        steps.wrong(path, "no document, or an empty one", _SYNTAX)
        return None
    if len(spec) > MAX_SORT_FIELDS:
        steps.wrong(path, f"{len(spec)} fields", f"at most {MAX_SORT_FIELDS}")
        return None
    found: list[tuple[Parts, bool]] = []
    for name, side in spec.items():
        place = f"{path}.{name}"
        wrong = fault(name) if isinstance(name, str) else f"the field name {name!r}"
        if wrong:
            steps.wrong(place, wrong, "a field as a or a.b")
        elif truncated(side) not in (1, -1):
            steps.wrong(place, describe(side), "1 (the lowest first) or -1 (the highest first)")
        else:
            found.append((split(name), truncated(side) == -1))
    return tuple(found) if len(found) == len(spec) else None


def key_of(doc: Document, parts: Parts, *, highest: bool) -> tuple[Any, ...]:
    """What the document is sorted by at a path: of several values the lowest, or the highest."""
    found = list(_leaves(doc, parts)) or [sort_key(None)]
    return max(found) if highest else min(found)


def _leaves(value: Any, parts: Sequence[str]) -> Any:
    """The keys of every value at a path, through arrays, by position too."""
    if not parts:
        if value.__class__ is not list:
            yield sort_key(value)
        elif value:
            yield from map(sort_key, value)
        else:
            yield _EMPTY_ARRAY
    elif value.__class__ is dict:
        inner = value.get(parts[0], MISSING)
        if inner is not MISSING:
            yield from _leaves(inner, parts[1:])
        else:
            yield sort_key(None)
    elif value.__class__ is list:
        for item in value:
            if item.__class__ is dict:
                yield from _leaves(item, parts)
        if parts[0].isdecimal() and int(parts[0]) < len(value):
            yield from _leaves(value[int(parts[0])], parts[1:])


def in_order(
    items: Sequence[Any], keys: Keys, doc_of: Callable[[Any], Document] = lambda item: item
) -> list[Any]:
    """The items sorted by the documents that stand for them; equal ones keep their order."""
    found = list(items)
    for parts, highest in reversed(keys):
        found.sort(key=lambda item: key_of(doc_of(item), parts, highest=highest), reverse=highest)
    return found


def _parse_sort(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    keys = parse_keys(steps, spec, path)
    return None if keys is None else StageSpec("$sort", path, whole=lambda docs: in_order(docs, keys))


def _parse_number(
    name: str, least: int, of: Callable[[int], Whole]
) -> Callable[[Steps, Any, str], StageSpec | None]:
    def parse(steps: Steps, spec: Any, path: str) -> StageSpec | None:
        number = whole_number(spec)
        if number is None or not least <= number <= INT64_MAX:
            steps.wrong(path, describe(spec), f"a whole number of at least {least}")
            return None
        return StageSpec(name, path, whole=of(number))

    return parse


STAGES: Final[dict[str, StageType]] = {
    "$sort": StageType(
        name="$sort",
        parse=_parse_sort,
        meaning="Puts the documents in an order.",
        syntax=_SYNTAX,
        example={"$sort": {"total": -1, "_id": 1}},
    ),
    "$limit": StageType(
        name="$limit",
        parse=_parse_number("$limit", 1, lambda number: lambda docs: docs[:number]),
        meaning="Lets the first documents pass, so many.",
        syntax="{$limit: <number>}",
        example={"$limit": 10},
    ),
    "$skip": StageType(
        name="$skip",
        parse=_parse_number("$skip", 0, lambda number: lambda docs: docs[number:]),
        meaning="Leaves out the first documents, so many.",
        syntax="{$skip: <number>}",
        example={"$skip": 10},
    ),
}
