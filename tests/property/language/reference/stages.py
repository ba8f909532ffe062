"""Stages over one document."""

from __future__ import annotations

from typing import Any

from bson import Int64

from tests.property.language.reference.interpreter import SYSTEM, check, environment, path_parts, run
from tests.property.language.reference.match import matches
from tests.property.language.reference.projection import add_fields, project, unset
from tests.property.language.reference.values import MISSING, DataError, Refusal, Unsure, kind, nullish

_REDACT = {"DESCEND": "descend", "PRUNE": "prune", "KEEP": "keep"}


def _replaced(expression: Any, doc: dict[str, Any]) -> list[dict[str, Any]]:
    check(expression)
    value = run(expression, environment(doc))
    if not isinstance(value, dict):
        raise DataError("the new root must be a document")
    return [value]


def _redacted(expression: Any, doc: dict[str, Any], root: dict[str, Any]) -> dict[str, Any] | None:
    answer = run(expression, {**environment(root), **_REDACT, "CURRENT": doc})
    if answer not in _REDACT.values():
        raise DataError("$redact must answer $$DESCEND, $$PRUNE or $$KEEP")
    if answer != "descend":
        return doc if answer == "keep" else None
    found: dict[str, Any] = {}
    for name, value in doc.items():
        below = _below(expression, value, root)
        if below is not MISSING:
            found[name] = below
    return found


def _below(expression: Any, value: Any, root: dict[str, Any]) -> Any:
    if kind(value) == "object":
        inner = _redacted(expression, value, root)
        return MISSING if inner is None else inner
    if kind(value) == "array":
        items = [_below(expression, item, root) for item in value]
        return [item for item in items if item is not MISSING]
    return value


def _placed(doc: dict[str, Any], parts: list[str], value: Any) -> dict[str, Any]:
    """A copy with one nested field set, or taken away for MISSING."""
    copy = dict(doc)
    if len(parts) > 1:
        inner = copy.get(parts[0])
        copy[parts[0]] = _placed(inner if isinstance(inner, dict) else {}, parts[1:], value)
    elif value is MISSING:
        copy.pop(parts[0], None)
    else:
        copy[parts[0]] = value
    return copy


def _unwound(spec: Any, doc: dict[str, Any]) -> list[dict[str, Any]]:
    options = spec if isinstance(spec, dict) else {"path": spec}
    path, index = options.get("path"), options.get("includeArrayIndex")
    if not isinstance(path, str) or not path.startswith("$") or path.startswith("$$"):
        raise Refusal("$unwind takes a field path")
    if set(options) - {"path", "includeArrayIndex", "preserveNullAndEmptyArrays"}:
        raise Refusal("unknown option of $unwind")
    if not isinstance(options.get("preserveNullAndEmptyArrays", False), bool):
        raise Refusal("preserveNullAndEmptyArrays is a boolean")
    if index is not None and (not isinstance(index, str) or not index or index.startswith("$")):
        raise Refusal("includeArrayIndex names a field")
    parts = path_parts(path[1:])
    at = path_parts(index) if index is not None else []
    if at and (at[: len(parts)] == parts or parts[: len(at)] == at):
        raise Unsure("an index within the path")
    value: Any = doc
    for part in parts:
        value = value.get(part, MISSING) if isinstance(value, dict) else MISSING
    if kind(value) == "array" and value:
        rows = [(_placed(doc, parts, item), Int64(place)) for place, item in enumerate(value)]
    elif nullish(value) or kind(value) == "array":
        if not options.get("preserveNullAndEmptyArrays"):
            return []
        rows = [(_placed(doc, parts, MISSING) if kind(value) == "array" else doc, None)]  # type: ignore[list-item]
    else:
        rows = [(doc, None)]  # type: ignore[list-item]
    return [_placed(row, at, place) if at else row for row, place in rows]


def run_stage(stage: Any, doc: dict[str, Any]) -> list[dict[str, Any]]:
    """The documents that one stage makes of one. Raises Refusal, DataError, Unsure."""
    if not isinstance(stage, dict) or len(stage) != 1:
        raise Refusal("a stage is an object of one field")
    ((name, spec),) = stage.items()
    if name == "$match":
        return [doc] if matches(spec, doc) else []
    if name == "$project":
        return [project(spec, doc)]
    if name in ("$addFields", "$set"):
        return [add_fields(spec, doc)]
    if name == "$unset":
        return [unset(spec, doc)]
    if name == "$replaceWith":
        return _replaced(spec, doc)
    if name == "$replaceRoot":
        if not isinstance(spec, dict) or set(spec) != {"newRoot"}:
            raise Refusal("$replaceRoot takes newRoot")
        return _replaced(spec["newRoot"], doc)
    if name == "$unwind":
        return _unwound(spec, doc)
    if name == "$redact":
        check(spec, SYSTEM | set(_REDACT))
        kept = _redacted(spec, doc, doc)
        return [] if kept is None else [kept]
    raise Refusal(f"unknown stage {name}")
