"""`$mod $regex`, and `$options` beside it. `$expr` and `$jsonSchema`, at the top of a query, are in build."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bson import Regex

from workers.pipeline.match.nodes import NEVER, Condition, Place, ValueTest
from workers.pipeline.match.numbers import truncated
from workers.pipeline.match.pattern import letters, regex_test
from workers.pipeline.values import is_number


def _mod(operand: Any, place: Place) -> Condition:
    """Divisor and remainder are cut to whole numbers, as the values are; the sign is the dividend's."""
    if not isinstance(operand, list) or len(operand) != 2:
        return place.wrong("not an array of two numbers", "[divisor, remainder]")
    cut = [truncated(item) for item in operand]
    for number, item in enumerate(cut):
        if item is None:
            what = "beyond 64 bits or not finite" if is_number(operand[number]) else "not a number"
            place.at(number).wrong(what, "a whole number of 64 bits")
    divisor, remainder = cut
    if divisor is None or remainder is None:
        return NEVER
    if divisor == 0:
        return place.at(0).wrong("the divisor is 0", "a divisor other than 0")
    size, wanted = abs(divisor), remainder

    def single(value: Any) -> bool:
        dividend = truncated(value)
        if dividend is None:
            return False
        return (dividend % size if dividend >= 0 else -(-dividend % size)) == wanted

    return ValueTest(single)


def regex(operand: Any, options: Any, place: Place) -> Condition:
    """`$regex` with the `$options` beside it (None where there are none)."""
    if options is not None and options.__class__ is not str:
        return place.wrong("$options is not a string", "letters of i, m, s, x and u")
    if isinstance(operand, Regex):
        own = letters(operand)
        if options and own:
            return place.wrong("options both in the regular expression and in $options", "one of the two")
        return regex_test(operand.pattern, options or own, place)
    if operand.__class__ is not str:
        return place.wrong("not a string", "a regular expression")
    return regex_test(operand, options or "", place)


OPERATORS: Final[dict[str, Callable[[Any, Place], Condition]]] = {"$mod": _mod}
