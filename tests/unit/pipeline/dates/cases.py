"""What the tables of this folder share: dates by their text, and how a row is judged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest

from workers.errors import Invalid, Poison
from workers.pipeline import compile_expression
from workers.pipeline.values import compare, type_name

Row: TypeAlias = tuple[Any, dict[str, Any], Any]
"""An expression, a document, and the value it gives."""


def at(text: str) -> datetime:
    """A date in UTC, as `2024-01-31T12:30:45.123`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def same(found: Any, expected: Any) -> bool:
    """Equal, and of the same type."""
    return compare(found, expected) == 0 and type_name(found) == type_name(expected)


def expect_rows(rows: list[Row]) -> None:
    """Every row gives its value: with the document's values as data, and as constants where they fold."""
    for expression, document, expected in rows:
        found = compile_expression(expression)(document)
        assert same(found, expected), f"{expression} of {document} gave {found!r}, not {expected!r}"
        known = {"$let": {"vars": {"CURRENT": {"$literal": document}}, "in": expression}}
        found = compile_expression(known)({})
        assert same(found, expected), f"{expression} of the constant {document} gave {found!r}"
        found = compile_expression(_written(expression, document))({})
        assert same(found, expected), f"{expression} with {document} written in gave {found!r}"


def _written(expression: Any, document: dict[str, Any]) -> Any:
    """The expression with the document's top fields in place of their paths, so that it folds at start."""
    if isinstance(expression, dict):
        return {name: _written(inner, document) for name, inner in expression.items()}
    if isinstance(expression, list):
        return [_written(inner, document) for inner in expression]
    if isinstance(expression, str) and expression.startswith("$") and expression[1:] in document:
        return {"$literal": document[expression[1:]]}
    return expression


def expect_poison(expression: Any, document: dict[str, Any], reason: str) -> None:
    """The expression compiles, and the document is refused for this reason."""
    evaluate = compile_expression(expression, "p")
    with pytest.raises(Poison) as caught:
        evaluate(document)
    assert reason in caught.value.reason, caught.value.reason
    assert caught.value.at.startswith("p."), caught.value.at


def expect_refusal(expression: Any, place: str, reason: str) -> None:
    """The expression is refused at start, at this place and for this reason."""
    with pytest.raises(Invalid) as caught:
        compile_expression(expression, "p")
    found = [(problem.path, f"{problem.found}; {problem.expected}") for problem in caught.value.problems]
    assert any(path == place and reason in text for path, text in found), found
