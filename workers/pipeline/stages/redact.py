"""`$redact`: keeps or cuts documents within the document, each by what an expression says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from workers.errors import Poison
from workers.model import Document
from workers.pipeline.nodes import ROOT, Const, Scope
from workers.pipeline.spec import StageEmitting, StageSpec, StageType, Steps
from workers.pipeline.values import MISSING, type_name

# As the server has them: texts. A text that says the same does the same.
_CHOICES: Final = {"KEEP": "keep", "PRUNE": "prune", "DESCEND": "descend"}
_CURRENT: Final = "CURRENT#redact"
_SCOPE: Final[Scope] = {
    "ROOT": ROOT,
    "CURRENT": _CURRENT,
    **{name: f"{name}#redact" for name in _CHOICES},
}
_EXPECTED: Final = "an expression that gives $$KEEP, $$PRUNE or $$DESCEND"

Decide = Callable[[Document], Literal["keep", "prune", "descend"]]


def redacted(value: Any, decide: Decide) -> Any:
    """The document with what is to be pruned left out; MISSING where it is pruned itself."""
    choice = decide(value)
    if choice == "keep":
        return value
    if choice == "prune":
        return MISSING
    if choice != "descend" or choice.__class__ is not str:
        raise Poison(f"$redact's expression must give $$KEEP, $$PRUNE or $$DESCEND, not {_shown(choice)}")
    found = {name: _within(item, decide) for name, item in value.items()}
    return {name: item for name, item in found.items() if item is not MISSING}


def _within(value: Any, decide: Decide) -> Any:
    """Documents, also in arrays of arrays, are judged; all else stays."""
    if value.__class__ is dict:
        return redacted(value, decide)
    if value.__class__ is list:
        items = (_within(item, decide) for item in value)
        return [item for item in items if item is not MISSING]
    return value


def _shown(choice: Any) -> str:
    return f"a value of the type {type_name(choice)}"


def _parse(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    node = steps.expression(spec, path, _SCOPE)
    if isinstance(node, Const) and node.value not in _CHOICES.values():
        steps.wrong(path, f"a constant of the type {type_name(node.value)}", _EXPECTED)
        return None

    def emit(em: StageEmitting) -> None:
        decide, current, found = em.name(), em.name(), em.new_doc()
        with em.block(f"def {decide}({current}):"):
            em.bind(_CURRENT, current)
            for name, choice in _CHOICES.items():
                em.bind(_SCOPE[name], ascii(choice))
            em.line(f"return {em.value(node)}")
        em.line(f"{found} = {em.function(redacted)}({em.doc}, {decide})")
        with em.block(f"if {found} is M:"):
            em.drop()
        em.document_is(found, ours=False)

    return StageSpec("$redact", path, emit)


STAGES: Final[dict[str, StageType]] = {
    "$redact": StageType(
        name="$redact",
        parse=_parse,
        meaning="Keeps, prunes or descends into the document and those within it, as an expression says.",
        syntax="{$redact: <expression that gives $$KEEP, $$PRUNE or $$DESCEND>}",
        example={"$redact": {"$cond": [{"$eq": ["$level", "secret"]}, "$$PRUNE", "$$DESCEND"]}},
    )
}
