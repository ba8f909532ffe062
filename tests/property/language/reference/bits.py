"""Bitwise operators on integers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import and_, or_, xor
from typing import Any

from tests.property.language.reference.interpreter import positional, register, variadic
from tests.property.language.reference.tower import of_kind, widest
from tests.property.language.reference.values import DataError, kind, nullish


def _fold(combine: Callable[[int, int], int], start: int) -> Callable[[Iterable[Any]], Any]:
    def function(values: Iterable[Any]) -> Any:
        seen: list[Any] = []
        for value in values:
            if nullish(value):
                return None
            if kind(value) not in ("int", "long"):
                raise DataError(f"bits of {kind(value)}")
            seen.append(value)
        total = start
        for value in seen:
            total = combine(total, int(value))
        return of_kind(widest(*seen), total)

    return function


def _not(value: Any) -> Any:
    if nullish(value):
        return None
    if kind(value) not in ("int", "long"):
        raise DataError(f"bits of {kind(value)}")
    return of_kind(kind(value), ~int(value))


register("$bitAnd", variadic(_fold(and_, -1)))
register("$bitOr", variadic(_fold(or_, 0)))
register("$bitXor", variadic(_fold(xor, 0)))
register("$bitNot", positional(_not, 1, 1))
