"""`$replaceRoot $replaceWith`: another document takes the document's place."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from workers.errors import Poison
from workers.pipeline.nodes import Const, Node, ObjectOf
from workers.pipeline.spec import StageEmitting, StageSpec, StageType, Steps
from workers.pipeline.values import type_name


def _no_document(value: Any) -> NoReturn:
    raise Poison(
        f"'newRoot' expression must evaluate to an object, but resulting value was of type {type_name(value)}"
    )


def _stage(operator: str, root: Node, path: str) -> StageSpec:
    def emit(em: StageEmitting) -> None:
        found = em.value(root)
        local = em.new_doc()
        em.line(f"{local} = {found}")
        if not isinstance(root, ObjectOf | Const):
            with em.block(f"if {local}.__class__ is not dict:"):
                em.call(_no_document, local)
        em.document_is(local, ours=isinstance(root, ObjectOf))

    return StageSpec(operator, path, emit)


def _checked(steps: Steps, spec: Any, path: str) -> Node:
    root = steps.expression(spec, path)
    if isinstance(root, Const) and not isinstance(root.value, dict):
        return steps.wrong(
            path, f"a value of the type {type_name(root.value)}", "an expression that gives a document"
        )
    return root


def _parse_root(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    if not isinstance(spec, dict) or spec.keys() != {"newRoot"}:
        steps.wrong(path, "no document of newRoot alone", "{$replaceRoot: {newRoot: <expression>}}")
        return None
    return _stage("$replaceRoot", _checked(steps, spec["newRoot"], f"{path}.newRoot"), path)


def _parse_with(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    return _stage("$replaceWith", _checked(steps, spec, path), path)


STAGES: Final[dict[str, StageType]] = {
    "$replaceRoot": StageType(
        name="$replaceRoot",
        parse=_parse_root,
        meaning="Puts the document that `newRoot` gives in the document's place.",
        syntax="{$replaceRoot: {newRoot: <expression>}}",
        example={"$replaceRoot": {"newRoot": "$order"}},
    ),
    "$replaceWith": StageType(
        name="$replaceWith",
        parse=_parse_with,
        meaning="Puts the document that the expression gives in the document's place.",
        syntax="{$replaceWith: <expression>}",
        example={"$replaceWith": {"$mergeObjects": ["$order", {"id": "$id"}]}},
    ),
}
