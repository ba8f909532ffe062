"""`$unwind`: a document for each element of an array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bson import Int64

from workers.pipeline.parse import describe
from workers.pipeline.paths import Parts, fault, split
from workers.pipeline.spec import StageEmitting, StageSpec, StageType, Steps
from workers.pipeline.values import MISSING, is_nullish

_SYNTAX: Final = (
    "{$unwind: <$field>} or {$unwind: {path: <$field>, includeArrayIndex?: <field>, "
    "preserveNullAndEmptyArrays?: <boolean>}}"
)
_FIELDS: Final = ("path", "includeArrayIndex", "preserveNullAndEmptyArrays")


def unwound(doc: dict[str, Any], path: Parts, index: Parts | None, keep: bool) -> list[dict[str, Any]]:
    """A copy of the document for each element. What is no array counts as its own only element; null, missing
    and an empty array give no document, or one where they are to be kept."""
    value = _at(doc, path)
    if value.__class__ is list and value:
        found = [_with(doc, path, item) for item in value]
        if index is not None:
            found = [_with(one, index, Int64(place)) for place, one in enumerate(found)]
        return found
    if value.__class__ is list or is_nullish(value):
        if not keep:
            return []
        one = _with(doc, path, MISSING) if value.__class__ is list else dict(doc)
    else:
        one = dict(doc)
    return [one if index is None else _with(one, index, None)]


def _at(doc: Any, path: Parts) -> Any:
    """The value at a path that leads through documents alone."""
    for part in path:
        if doc.__class__ is not dict:
            return MISSING
        doc = doc.get(part, MISSING)
    return doc


def _with(doc: Any, path: Parts, value: Any) -> dict[str, Any]:
    """A copy with the value at the path; whatever is no document on the way becomes one."""
    changed = dict(doc) if doc.__class__ is dict else {}
    name, rest = path[0], path[1:]
    if rest:
        changed[name] = _with(changed.get(name), rest, value)
    elif value is MISSING:
        changed.pop(name, None)
    else:
        changed[name] = value
    return changed


def _parse(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    given = spec if isinstance(spec, Mapping) else {"path": spec}
    place = path if given is not spec else f"{path}.path"
    wrong = [name for name in given if name not in _FIELDS]
    for name in wrong:
        steps.wrong(f"{path}.{name}", f"$unwind has no field {name!r}", _SYNTAX)
    field = _path(steps, given.get("path"), place)
    index = None
    if "includeArrayIndex" in given:
        index = _index(steps, given["includeArrayIndex"], f"{path}.includeArrayIndex")
        wrong += [] if index else ["includeArrayIndex"]
    keep = given.get("preserveNullAndEmptyArrays", False)
    if not isinstance(keep, bool):
        wrong.append("preserveNullAndEmptyArrays")
        steps.wrong(f"{path}.preserveNullAndEmptyArrays", describe(keep), "true or false")
    if wrong or field is None:
        return None
    changed = frozenset(parts[0] for parts in (field, index) if parts is not None)

    def emit(em: StageEmitting) -> None:
        arguments = f"{em.doc}, {field!a}, {index!a}, {keep}"
        em.each(f"{em.function(unwound)}({arguments})", changed=changed)

    return StageSpec("$unwind", path, emit)


def _path(steps: Steps, given: Any, place: str) -> Parts | None:
    if given.__class__ is not str or not given.startswith("$"):
        steps.wrong(place, "no path" if given is None else describe(given), "a field as $a or $a.b")
        return None
    wrong = fault(given[1:])
    if wrong:
        steps.wrong(place, wrong, "a field as $a or $a.b")
    return None if wrong else split(given[1:])


def _index(steps: Steps, given: Any, place: str) -> Parts | None:
    wrong = fault(given) if given.__class__ is str else describe(given)
    if wrong:
        steps.wrong(place, wrong, "the name of a field, without a '$'")
    return None if wrong else split(given)


STAGES: Final[dict[str, StageType]] = {
    "$unwind": StageType(
        name="$unwind",
        parse=_parse,
        meaning="Gives a document for each element of an array, with the element in the array's place.",
        syntax=_SYNTAX,
        example={"$unwind": {"path": "$lines", "includeArrayIndex": "line"}},
    )
}
