"""One case, both sides: what the reference says, what the compiled program does, and where they part."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

import workers.pipeline as language
from tests.property.language import reference
from tests.property.language.reference import kind
from tests.property.language.sameness import same
from workers.errors import Invalid, Poison
from workers.model import Dropped, Many, Refused
from workers.pipeline import compile_expression, compile_stages
from workers.pipeline.match import compile_match
from workers.pipeline.values import MISSING

# Words of a refusal that says "not yet": such a case says nothing.
NOT_YET: Final = ("not in Penstock", "not yet")
# Their answers have no order of their own: strategies sort them, which needs $sortArray.
UNORDERED: Final = frozenset({"$setUnion", "$setIntersection"})


class Failed:
    """The outcome of a case that ends in an error."""

    def __init__(self, why: str, is_refusal: bool) -> None:
        self.why, self.is_refusal = why, is_refusal

    def __repr__(self) -> str:
        return f"{'refused' if self.is_refusal else 'failed'}: {self.why}"


def known_operators() -> list[str]:
    """Operators of expressions that the compiler and the reference both know."""
    listed: Callable[[], Any] = getattr(language, "known_operators", lambda: language.OPERATORS)
    found = set(listed()) & set(reference.known_operators())
    return sorted(found if "$sortArray" in found else found - UNORDERED)


def known_stages() -> list[str]:
    """Stages the compiler knows."""
    return sorted(language.STAGES)


def _from_reference(answer: Callable[[], Any]) -> Any:
    try:
        return answer()
    except reference.Refusal as error:
        return Failed(str(error), is_refusal=True)
    except reference.DataError as error:
        return Failed(str(error), is_refusal=False)


def _plain(value: Any) -> Any:
    return reference.MISSING if value is MISSING else value


def expression_outcome(expression: Any, doc: dict[str, Any]) -> Any:
    """What the compiled expression gives: a value, MISSING or Failed."""
    try:
        program = compile_expression(expression)
    except Invalid as error:
        return Failed(str(error), is_refusal=True)
    try:
        return _plain(program(doc))
    except Poison as error:
        return Failed(str(error), is_refusal=False)


def query_outcome(query: Any, doc: dict[str, Any]) -> Any:
    """Whether the compiled query matches, or Failed."""
    try:
        program = compile_match(query, "", compile_expression)
    except Invalid as error:
        return Failed(str(error), is_refusal=True)
    try:
        return bool(program.test(doc))
    except Poison as error:
        return Failed(str(error), is_refusal=False)


def stage_outcome(stage: Any, doc: dict[str, Any]) -> Any:
    """The documents the compiled stage gives, or Failed."""
    try:
        program = compile_stages([stage])
    except Invalid as error:
        return Failed(str(error), is_refusal=True)
    (answer,) = program.segments[0].run([doc], None)
    if isinstance(answer, Dropped):
        return []
    if isinstance(answer, Refused):
        return Failed(answer.reason, is_refusal=False)
    return answer.docs if isinstance(answer, Many) else [answer]


def expected_of(what: str, spec: Any, doc: dict[str, Any]) -> Any:
    """The reference's outcome. Raises Unsure."""
    answers = {"expression": reference.evaluate, "query": reference.matches, "stage": reference.run_stage}
    return _from_reference(lambda: answers[what](spec, doc))


OUTCOMES: Final = {"expression": expression_outcome, "query": query_outcome, "stage": stage_outcome}


def disagreement(what: str, spec: Any, doc: dict[str, Any]) -> str | None:
    """Where compiled and reference part, None when they agree or nothing can be said."""
    try:
        expected = expected_of(what, spec, copy.deepcopy(doc))
    except (reference.Unsure, RecursionError):
        return None
    before = copy.deepcopy(doc)
    got = OUTCOMES[what](spec, doc)
    if not same(before, doc):
        return f"the document was changed: {before!r} to {doc!r}"
    if isinstance(got, Failed) and any(words in got.why for words in NOT_YET):
        return None
    if isinstance(expected, Failed):
        if not isinstance(got, Failed):
            return f"expected {expected!r}, got {got!r}"
        return (
            f"expected {expected!r} at start, got {got!r}" if expected.is_refusal > got.is_refusal else None
        )
    if isinstance(got, Failed):
        if got.is_refusal and reference.closed_errors(spec):
            return None
        return f"expected {expected!r}, got {got!r}"
    return None if same(expected, got) else f"expected {expected!r}, got {got!r}"


__all__ = ["Failed", "disagreement", "kind", "known_operators", "known_stages", "same"]
