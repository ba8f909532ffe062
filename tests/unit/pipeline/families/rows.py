"""Tables of expressions: (expression, document, value), and (expression, document, part of the reason)."""

from __future__ import annotations

from typing import Any

import pytest

from workers.errors import Invalid, Poison
from workers.pipeline import compile_expression
from workers.pipeline.values import MISSING, compare, type_name

Row = tuple[Any, dict[str, Any], Any]
Wrong = tuple[Any, dict[str, Any], str]


def same(found: Any, expected: Any) -> bool:
    """The same value, and of the same type."""
    if found is MISSING or expected is MISSING:
        return found is expected
    return compare(found, expected) == 0 and type_name(found) == type_name(expected)


def check_rows(rows: list[Row]) -> None:
    """Each row gives its value: with the document's values read, and with them known at start."""
    for expression, document, expected in rows:
        found = compile_expression(expression)(document)
        assert same(found, expected), f"{expression} of {document} gave {found!r}, not {expected!r}"
        known = {"$let": {"vars": {"CURRENT": {"$literal": document}}, "in": expression}}
        found = compile_expression(known)({})
        assert same(found, expected), f"{expression} of the constant {document} gave {found!r}"


def check_wrong(rows: list[Wrong]) -> None:
    """Each row is refused with its reason, at start or with the document."""
    for expression, document, reason in rows:
        with pytest.raises((Poison, Invalid)) as caught:
            compile_expression(expression, "p")(document)
        error: Any = caught.value
        assert reason in str(error), f"{expression} of {document}: {error}"
        places = [error.at] if isinstance(error, Poison) else [problem.path for problem in error.problems]
        assert all(place.startswith("p.$") for place in places), places


def at_start(expression: Any) -> list[tuple[str, str]]:
    """(place, what is wrong) of an expression that is refused before any document came."""
    with pytest.raises(Invalid) as caught:
        compile_expression(expression, "p")
    return [(problem.path, problem.found) for problem in caught.value.problems]
