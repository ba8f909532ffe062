"""`$project $addFields $set $unset`: fields kept, left out, computed."""

from __future__ import annotations

from typing import Any, Final

from workers.pipeline.nodes import Node, may_be_missing
from workers.pipeline.parse import describe
from workers.pipeline.paths import Parts, collision, fault, split, with_value, without
from workers.pipeline.projection import Projection, Tree, included_value, read_fields, tree_of
from workers.pipeline.spec import StageEmitting, StageSpec, StageType, Steps

_PROJECT: Final = "{$project: {<field>: 1 or <expression>, ...}} or {$project: {<field>: 0, ...}}"
_ADD: Final = "{$addFields: {<field>: <expression>, ...}}"


def _evaluated(em: StageEmitting, computed: list[tuple[Parts, Node]]) -> Values:
    """Every expression, before anything is set."""
    return [(parts, em.value(node), may_be_missing(node)) for parts, node in computed]


Values = list[tuple[Parts, str, bool]]
"""(path, local of the value, whether it may be missing) of fields to set."""


def _set_fields(em: StageEmitting, doc: str, values: Values) -> None:
    """Set what was computed on a document of our own. MISSING removes a field."""
    # Fields within one field are set on one copy of it, when the first of them is; but one by one where some
    # are deeper, so that all stand in the order they were written.
    deeper = {parts[0] for parts, _, _ in values if len(parts) > 2}
    inner: dict[str, Values] = {}
    for parts, value, doubtful in values:
        if len(parts) == 2 and parts[0] not in deeper:
            inner.setdefault(parts[0], []).append((parts[1:], value, doubtful))
    for parts, value, doubtful in values:
        name = parts[0]
        if name in deeper:
            em.line(
                f"{doc}[{name!a}] = {em.function(with_value)}({doc}.get({name!a}, M), {parts!a}, {value}, 1)"
            )
        elif len(parts) == 2:
            if name in inner:
                _set_inner(em, doc, name, inner.pop(name))
        else:
            _set_field(em, doc, name, value, doubtful)


def _set_field(em: StageEmitting, doc: str, name: str, value: str, doubtful: bool) -> None:
    if value == "M":
        em.line(f"{doc}.pop({name!a}, None)")
    elif doubtful:
        with em.block(f"if {value} is M:"):
            em.line(f"{doc}.pop({name!a}, None)")
        with em.block("else:"):
            em.line(f"{doc}[{name!a}] = {value}")
    else:
        em.line(f"{doc}[{name!a}] = {value}")


def _set_inner(em: StageEmitting, doc: str, name: str, values: Values) -> None:
    """Set fields of the document in a field: on a copy, or on a new one where there is none."""
    holder, made = em.assign(f"{doc}.get({name!a}, M)"), em.name()
    with em.block(f"if {holder}.__class__ is list:"):
        em.line(f"{made} = {holder}")
        for (field,), value, _ in values:
            em.line(f"{made} = {em.function(with_value)}({made}, {(name, field)!a}, {value}, 1)")
    with em.block("else:"):
        em.line(f"{made} = {holder}.copy() if {holder}.__class__ is dict else {{}}")
        for (field,), value, doubtful in values:
            _set_field(em, made, field, value, doubtful)
    em.line(f"{doc}[{name!a}] = {made}")


def _emit_add(em: StageEmitting, computed: list[tuple[Parts, Node]]) -> None:
    if not computed:
        return
    values = _evaluated(em, computed)
    before = em.doc
    after = before
    if not em.doc_is_ours:
        after = em.new_doc()
        em.line(f"{after} = {before}.copy()")
    _set_fields(em, after, values)
    changed = frozenset(parts[0] for parts, _, _ in values)
    em.document_is(after, ours=True, unchanged_from=before, changed=changed)
    for parts, value, _ in values:
        if len(parts) == 1 and value.isidentifier():
            em.field_is(parts[0], value)


def _emit_inclusion(em: StageEmitting, projection: Projection) -> None:
    values = _evaluated(em, projection.computed)
    before, after = em.doc, em.new_doc()
    tree = tree_of(projection.kept, [parts for parts, _ in projection.computed])
    if all(inner is True for inner in tree.values()):
        em.line(f"{after} = {{}}")
        if tree:
            names = em.constant(frozenset(tree))
            name, value = em.name(), em.name()
            with em.block(f"for {name}, {value} in {before}.items():"):
                em.line(f"if {name} in {names}: {after}[{name}] = {value}")
    else:
        _emit_included(em, after, before, tree)
    _set_fields(em, after, values)
    em.document_is(after, ours=True)
    for parts, value, _ in values:
        if len(parts) == 1 and value.isidentifier():
            em.field_is(parts[0], value)


def _emit_included(em: StageEmitting, after: str, before: str, tree: Tree) -> None:
    """The fields of the tree, in the document's order; of most of them the whole."""
    names, deeper = (
        em.constant(frozenset(tree)),
        em.constant({k: v for k, v in tree.items() if v is not True}),
    )
    name, value = em.name(), em.name()
    em.line(f"{after} = {{}}")
    with em.block(f"for {name}, {value} in {before}.items():"), em.block(f"if {name} in {names}:"):
        with em.block(f"if {name} in {deeper}:"):
            em.line(f"{value} = {em.function(included_value)}({value}, {deeper}[{name}])")
            em.line(f"if {value} is M: continue")
        em.line(f"{after}[{name}] = {value}")


def _emit_exclusion(em: StageEmitting, paths: list[Parts]) -> None:
    before, after = em.doc, em.doc
    if not em.doc_is_ours:
        after = em.new_doc()
        em.line(f"{after} = {before}.copy()")
    for parts in paths:
        if len(parts) == 1:
            em.line(f"{after}.pop({parts[0]!a}, None)")
        else:
            name, holder = parts[0], em.assign(f"{after}.get({parts[0]!a}, M)")
            rest = f"{after}[{name!a}] = {em.function(without)}({holder}, {parts!a}, 1)"
            if len(parts) > 2:
                em.line(f"if {holder} is not M: {rest}")
                continue
            with em.block(f"if {holder}.__class__ is dict:"), em.block(f"if {parts[1]!a} in {holder}:"):
                em.line(f"{after}[{name!a}] = {holder} = {holder}.copy()")
                em.line(f"del {holder}[{parts[1]!a}]")
            em.line(f"elif {holder} is not M: {rest}")
    changed = frozenset(parts[0] for parts in paths)
    em.document_is(after, ours=True, unchanged_from=before, changed=changed)


def _parse_add(operator: str, steps: Steps, spec: Any, path: str) -> StageSpec | None:
    if not isinstance(spec, dict) or not spec:
        steps.wrong(path, "an empty document" if spec == {} else describe(spec), _ADD)
        return None
    found = read_fields(steps, spec, path, flags=False)
    return StageSpec(operator, path, lambda em: _emit_add(em, found.computed))


def _parse_project(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    if not isinstance(spec, dict) or not spec:
        steps.wrong(path, "no document, or an empty one", _PROJECT)
        return None
    found = read_fields(steps, spec, path, flags=True)
    id_out = ("_id",) in found.left_out
    others_out = [parts for parts in found.left_out if parts != ("_id",)]
    others_in = [parts for parts in found.kept if parts != ("_id",)]
    if others_out and (others_in or found.computed):
        place = f"{path}.{'.'.join(others_out[0])}"
        steps.wrong(
            place, "a field left out beside fields kept or computed", "one of the two; _id alone may differ"
        )
        return None
    if others_out or (id_out and not others_in and not found.computed):
        return StageSpec("$project", path, lambda em: _emit_exclusion(em, found.left_out))
    id_computed = any(parts[0] == "_id" for parts, _ in found.computed)
    id_kept = any(parts[0] == "_id" for parts in found.kept)
    if not id_out and not id_computed and not id_kept:
        found.kept.append(("_id",))
    return StageSpec("$project", path, lambda em: _emit_inclusion(em, found))


def _parse_unset(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    many = spec if isinstance(spec, list) else [spec]
    if not many:
        steps.wrong(path, "an empty array", "a field or an array of at least one field")
        return None
    good: list[str] = []
    for number, name in enumerate(many):
        place = f"{path}[{number}]" if isinstance(spec, list) else path
        wrong = fault(name) if name.__class__ is str else describe(name)
        if wrong:
            steps.wrong(place, wrong, "a field as a or a.b")
        else:
            good.append(name)
    clash = collision(good)
    if clash:
        steps.wrong(
            path,
            f"the path {clash[1]!r} collides with {clash[0]!r}",
            "each path once, and none within another",
        )
    paths = [split(name) for name in good]
    return StageSpec("$unset", path, lambda em: _emit_exclusion(em, paths))


STAGES: Final[dict[str, StageType]] = {
    "$addFields": StageType(
        name="$addFields",
        parse=lambda steps, spec, path: _parse_add("$addFields", steps, spec, path),
        meaning="Sets fields to what expressions give; a missing value removes the field.",
        syntax=_ADD,
        example={"$addFields": {"total": {"$multiply": ["$price", "$quantity"]}}},
    ),
    "$set": StageType(
        name="$set",
        parse=lambda steps, spec, path: _parse_add("$set", steps, spec, path),
        meaning="Another name of $addFields.",
        syntax="{$set: {<field>: <expression>, ...}}",
        example={"$set": {"seen": True}},
    ),
    "$project": StageType(
        name="$project",
        parse=_parse_project,
        meaning="Keeps the fields named (and _id), or leaves out the fields named, and computes new ones.",
        syntax=_PROJECT,
        example={"$project": {"_id": 0, "name": 1, "total": {"$add": ["$net", "$tax"]}}},
    ),
    "$unset": StageType(
        name="$unset",
        parse=_parse_unset,
        meaning="Leaves out the fields named.",
        syntax="{$unset: <field>} or {$unset: [<field>, ...]}",
        example={"$unset": ["secret", "card.number"]},
    ),
}
