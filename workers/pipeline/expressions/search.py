"""`$indexOfBytes $indexOfCP $replaceAll $replaceOne`: a text within a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from bson import Regex

from workers.errors import Poison
from workers.pipeline.matches import between, search_by
from workers.pipeline.nodes import Example, Named, Operator, Positional
from workers.pipeline.values import INT32_MAX, INT32_MIN, is_nullish, type_name, whole_number

_LEFT_OUT: Final = object()  # an end or start that was not given; null is an error


def _text(value: Any, operator: str, which: str) -> str:
    if value.__class__ is not str:
        raise Poison(f"{operator} requires a string as the {which} argument, found: {type_name(value)}")
    text: str = value
    return text


def _place(value: Any, operator: str, which: str, default: int) -> int:
    """A start or end: a whole number of 32 bits, not below 0."""
    if value is _LEFT_OUT:
        return default
    found = whole_number(value)
    if found is None or not INT32_MIN <= found <= INT32_MAX:
        raise Poison(
            f"{operator} requires an integral {which} index, found a value of type {type_name(value)}"
        )
    if found < 0:
        raise Poison(f"{operator} requires a nonnegative {which} index, found: {found}")
    return found


def index_of_bytes(text: Any, wanted: Any, start: Any, end: Any) -> int | None:
    """Where a text begins within another, in bytes of UTF-8; it lies before `end` whole. -1 without it."""
    if is_nullish(text):
        return None
    within = _text(text, "$indexOfBytes", "first").encode("utf-8", "surrogatepass")
    token = _text(wanted, "$indexOfBytes", "second").encode("utf-8", "surrogatepass")
    first = _place(start, "$indexOfBytes", "starting", 0)
    last = min(_place(end, "$indexOfBytes", "ending", len(within)), len(within))
    return within[:last].find(token, first) if first <= last else -1


def index_of_points(text: Any, wanted: Any, start: Any, end: Any) -> int | None:
    """Where a text begins within another, in code points; it need only begin before `end`. -1 without it."""
    if is_nullish(text):
        return None
    within = _text(text, "$indexOfCP", "first")
    token = _text(wanted, "$indexOfCP", "second")
    first = _place(start, "$indexOfCP", "starting", 0)
    last = min(_place(end, "$indexOfCP", "ending", len(within)), len(within))
    if not within and not token:
        return 0
    found = within.find(token, first)
    return found if first <= found < last else -1


def _replace(operator: str, count: int) -> Callable[[Any, Any, Any], Any]:
    def replaced(text: Any, find: Any, replacement: Any) -> Any:
        if isinstance(find, Regex) and count < 0:
            return replaced_matches(text, find, replacement)
        for value, name in ((text, "input"), (find, "find"), (replacement, "replacement")):
            if value.__class__ is not str and not is_nullish(value):
                raise Poison(f"{operator} requires that '{name}' be a string, found: {type_name(value)}")
        if is_nullish(text) or is_nullish(find) or is_nullish(replacement):
            return None
        return text.replace(find, replacement, count)

    return replaced


def replaced_matches(text: Any, find: Regex[Any], replacement: Any) -> Any:
    """The text with each match of a pattern replaced; the replacement stands for itself."""
    for value, name in ((text, "input"), (replacement, "replacement")):
        if value.__class__ is not str and not is_nullish(value):
            raise Poison(f"$replaceAll requires that '{name}' be a string, found: {type_name(value)}")
    if is_nullish(text) or is_nullish(replacement):
        return None
    parts = [part for part, _ in between(text, search_by(find, "$replaceAll"))]
    return replacement.join(parts)


OPERATORS: Final[dict[str, Operator]] = {
    "$indexOfBytes": Operator(
        name="$indexOfBytes",
        signature=Positional(2, 4),
        meaning="Where a text first stands within another, between a start and an end in bytes; -1 "
        "without it.",
        example=Example({"$indexOfBytes": ["$a", "\u00e9"]}, 3, {"a": "caf\u00e9"}),
        function=index_of_bytes,
        absent=_LEFT_OUT,
    ),
    "$indexOfCP": Operator(
        name="$indexOfCP",
        signature=Positional(2, 4),
        meaning="Where a text first stands within another, between a start and an end in code points; -1 "
        "without it.",
        example=Example({"$indexOfCP": ["$a", "foo"]}, 5, {"a": "caf\u00e9 foo"}),
        function=index_of_points,
        absent=_LEFT_OUT,
    ),
    "$replaceAll": Operator(
        name="$replaceAll",
        signature=Named(("input", "find", "replacement")),
        meaning="The text with every occurrence of `find` replaced, a text or regular expression.",
        example=Example(
            {"$replaceAll": {"input": "$a", "find": "-", "replacement": "/"}}, "1/2/3", {"a": "1-2-3"}
        ),
        function=_replace("$replaceAll", -1),
    ),
    "$replaceOne": Operator(
        name="$replaceOne",
        signature=Named(("input", "find", "replacement")),
        meaning="The text with the first occurrence of `find` replaced.",
        example=Example(
            {"$replaceOne": {"input": "$a", "find": "-", "replacement": "/"}}, "1/2-3", {"a": "1-2-3"}
        ),
        function=_replace("$replaceOne", 1),
    ),
}
