"""`$project`, `$addFields` and `$unset`: a tree of fields applied to documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bson import Decimal128

from tests.property.language.reference.interpreter import (
    check,
    environment,
    operator_of,
    path_parts,
    run,
    unread,
)
from tests.property.language.reference.values import MISSING, Refusal, Unsure, is_number, kind, truthy


@dataclass
class Tree:
    """What is done with the fields of a document: kept, dropped, computed, or gone into."""

    flags: dict[str, bool] = field(default_factory=dict)
    computed: dict[str, Any] = field(default_factory=dict)
    children: dict[str, Tree] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def has_computed(self) -> bool:
        """Whether a value is computed within."""
        return bool(self.computed) or any(child.has_computed() for child in self.children.values())


def _place(tree: Tree, path: list[str]) -> tuple[Tree, str]:
    """The node that holds the last name of a path. Refusal where the path is taken."""
    for name in path[:-1]:
        if name in tree.flags or name in tree.computed:
            raise Refusal("paths collide")
        if name not in tree.children:
            tree.children[name] = Tree()
            tree.order.append(name)
        tree = tree.children[name]
    last = path[-1]
    if last in tree.flags or last in tree.computed or last in tree.children:
        raise Refusal("paths collide")
    tree.order.append(last)
    return tree, last


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool) or is_number(value)


def _walk(tree: Tree, prefix: list[str], spec: dict[str, Any], takes_flags: bool) -> None:
    for name, value in spec.items():
        path = prefix + path_parts(name)
        if takes_flags and _is_flag(value):
            if isinstance(value, Decimal128) and value.to_decimal().is_nan():
                raise Unsure("NaN as a flag")
            node, last = _place(tree, path)
            node.flags[last] = truthy(value)
        elif isinstance(value, dict) and operator_of(value) is None:
            if not value:
                raise (
                    Refusal("an empty object is no projection") if takes_flags else Unsure("an empty object")
                )
            _walk(tree, path, value, takes_flags)
        else:
            check(value)
            node, last = _place(tree, path)
            node.computed[last] = value


def _flags_of(tree: Tree, prefix: str = "") -> list[tuple[str, bool]]:
    found = [(prefix + name, value) for name, value in tree.flags.items()]
    for name, child in tree.children.items():
        found += _flags_of(child, f"{prefix}{name}.")
    return found


def _including(tree: Tree, value: Any) -> Any:
    """The value with the flagged fields alone, MISSING in the place of what computed ones may fill."""
    if kind(value) == "array":
        return [_including(tree, item) for item in value]
    if kind(value) != "object":
        return MISSING
    found: dict[str, Any] = {}
    for name, inner in value.items():
        if tree.flags.get(name):
            found[name] = inner
        elif name in tree.children:
            found[name] = _including(tree.children[name], inner)
            if found[name] is MISSING and tree.children[name].has_computed():
                raise Unsure("where a document stands that takes the place of a scalar")
    return found


def _filled(value: Any) -> Any:
    """The value without the places that stayed empty."""
    if isinstance(value, dict):
        return {name: _filled(inner) for name, inner in value.items() if inner is not MISSING}
    return [_filled(item) for item in value if item is not MISSING] if isinstance(value, list) else value


def _excluding(tree: Tree, value: Any) -> Any:
    if kind(value) == "array":
        return [_excluding(tree, item) for item in value]
    if kind(value) != "object":
        return value
    return {
        name: _excluding(tree.children[name], inner) if name in tree.children else inner
        for name, inner in value.items()
        if tree.flags.get(name) is not False
    }


def _computing(tree: Tree, value: Any, env: dict[str, Any]) -> Any:
    """The value with computed fields set; what is no document becomes one."""
    if kind(value) == "array":
        if not value:
            unread(lambda: _computing(tree, {}, env))
        return [_computing(tree, item, env) for item in value]
    found = dict(value) if kind(value) == "object" else {}
    for name in tree.order:
        if name in tree.computed:
            new = run(tree.computed[name], env)
        elif name in tree.children and tree.children[name].has_computed():
            new = _computing(tree.children[name], found.get(name, MISSING), env)
        else:
            continue
        if new is MISSING:
            found.pop(name, None)
        else:
            found[name] = new
    return found


def add_fields(spec: Any, doc: dict[str, Any]) -> dict[str, Any]:
    """`$addFields` and `$set`."""
    if not isinstance(spec, dict) or not spec:
        raise Refusal("$addFields takes an object of fields")
    tree = Tree()
    _walk(tree, [], spec, takes_flags=False)
    result = _computing(tree, doc, environment(doc))
    assert isinstance(result, dict)
    return result


def project(spec: Any, doc: dict[str, Any]) -> dict[str, Any]:
    """`$project`: inclusion or exclusion, `_id` as it is said or kept."""
    if not isinstance(spec, dict) or not spec:
        raise Refusal("$project takes an object of fields")
    tree = Tree()
    _walk(tree, [], spec, takes_flags=True)
    flags = dict(_flags_of(tree))
    others = [flag for path, flag in flags.items() if path != "_id"]
    if True in others and False in others:
        raise Refusal("inclusion and exclusion do not mix")
    if any(path.startswith("_id.") for path in flags):
        raise Unsure("parts of _id")
    if tree.has_computed() and False in others:
        raise Refusal("exclusion computes nothing")
    if False in others or (not others and not tree.has_computed() and flags.get("_id") is False):
        if flags.get("_id") is True and False in others:
            del tree.flags["_id"]
        return dict(_excluding(tree, doc))
    if "_id" in tree.computed or "_id" in tree.children:
        raise Unsure("where a computed _id stands")
    if flags.get("_id") is not False:
        tree.flags["_id"] = True
    return dict(_filled(_computing(tree, _including(tree, doc), environment(doc))))


def unset(spec: Any, doc: dict[str, Any]) -> dict[str, Any]:
    """`$unset`: one path or several."""
    names = spec if isinstance(spec, list) else [spec]
    if not names or not all(name.__class__ is str for name in names):
        raise Refusal("$unset takes names of fields")
    if len(set(names)) != len(names):
        raise Refusal("paths collide")
    return project(dict.fromkeys(names, False), doc)
