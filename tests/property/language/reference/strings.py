"""Strings: code points, bytes, case of ASCII letters alone."""

from __future__ import annotations

from typing import Any

from bson import Decimal128, Timestamp

from tests.property.language.reference.arrays import bounds
from tests.property.language.reference.calendar import iso_text
from tests.property.language.reference.interpreter import ABSENT, named, positional, register, variadic
from tests.property.language.reference.tower import need_integral, whole
from tests.property.language.reference.values import (
    LONG_MAX,
    DataError,
    Unsure,
    is_finite,
    is_nan,
    is_number,
    kind,
    milliseconds,
    nullish,
)

# The manual's table of what $trim takes for whitespace.
WHITESPACE = "\0\t\n\x0b\x0c\r \u00a0\u1680" + "".join(chr(code) for code in range(0x2000, 0x200B))
_UPPER = {ord(letter): letter.upper() for letter in "abcdefghijklmnopqrstuvwxyz"}
_LOWER = {ord(upper): chr(code) for code, upper in _UPPER.items()}


def number_text(value: Any) -> str:
    """A number as text. Unsure for doubles of more than 15 digits."""
    if isinstance(value, Decimal128):
        return str(value)
    if not isinstance(value, float):
        return str(int(value))
    if not is_finite(value):
        return "NaN" if is_nan(value) else ("Infinity" if value > 0 else "-Infinity")
    text = repr(value).removesuffix(".0")
    if text != f"{value:.16g}":
        raise Unsure("the digits of a double")
    if "e" in text or len(text.strip("-0.").replace(".", "")) > 15 or value == 0 > text.find("0"):
        raise Unsure("the digits of a double")
    if text == "-0":
        raise Unsure("the text of minus zero")
    return text


def text_of(value: Any) -> str:
    """The text that `$toUpper`, `$substr` and `$strcasecmp` make of their argument: null is empty."""
    if nullish(value):
        return ""
    if kind(value) in ("string", "javascript"):
        return str(value)
    if is_number(value):
        return number_text(value)
    if kind(value) == "date":
        return iso_text(milliseconds(value))
    if isinstance(value, Timestamp):
        raise Unsure("the text of a timestamp")
    raise DataError(f"no text of {kind(value)}")


def need_text(value: Any, what: str) -> str:
    """The value as a string, or DataError."""
    if kind(value) != "string":
        raise DataError(f"{what} takes a string, not {kind(value)}")
    return str(value)


def _concat(values: Any) -> Any:
    found = ""
    for value in values:
        if nullish(value):
            return None
        found += need_text(value, "$concat")
    return found


def _split(value: Any, delimiter: Any) -> Any:
    if nullish(value) or nullish(delimiter):
        return None
    if kind(delimiter) == "regex":
        raise Unsure("a pattern, which newer servers alone split by")
    text, by = need_text(value, "$split"), need_text(delimiter, "$split")
    if not by:
        raise DataError("the delimiter is empty")
    return text.split(by)


def _compare_ignoring_case(left: Any, right: Any) -> int:
    first = text_of(left).translate(_UPPER).encode()
    second = text_of(right).translate(_UPPER).encode()
    return (first > second) - (first < second)


def _need_any_number(value: Any) -> int:
    if not is_number(value):
        raise DataError("a number is needed")
    plain = value.to_decimal() if isinstance(value, Decimal128) else value
    if not is_finite(value) or abs(plain) > LONG_MAX or plain != int(plain):
        raise Unsure("how a number that is no integer counts bytes")
    return whole(value)


def _is_inside(data: bytes, at: int) -> bool:
    """Whether a character goes on at this byte."""
    return at < len(data) and data[at] & 0xC0 == 0x80


def _bytes(value: Any, start: Any, length: Any) -> str:
    data = text_of(value).encode()
    first, count = _need_any_number(start), _need_any_number(length)
    if first < 0:
        raise DataError("the start is negative")
    last = len(data) if count < 0 else first + count
    if _is_inside(data, first) or _is_inside(data, last):
        raise DataError("within a character")
    return data[first:last].decode()


def _code_points(value: Any, start: Any, length: Any) -> str:
    text = text_of(value)
    first, count = need_integral(start, "the start"), need_integral(length, "the length")
    if first < 0 or count < 0:
        raise DataError("neither start nor length is negative")
    return text[first : first + count]


def _index_of(in_bytes: Any) -> Any:
    def function(value: Any, wanted: Any, start: Any = ABSENT, end: Any = ABSENT) -> Any:
        if nullish(value):
            return None
        text, part = need_text(value, "$indexOf"), need_text(wanted, "$indexOf")
        where: Any = text.encode() if in_bytes else text
        what: Any = part.encode() if in_bytes else part
        first, last = bounds(len(where), start, end)
        if not what and first >= min(last, len(where)):
            raise Unsure("an empty text at the end")
        found = where.find(what, first, last) if first <= last else -1
        if found < 0 and not in_bytes and first <= where.find(what, first) < last:
            raise Unsure("a text that begins before the end of the search and goes on behind it")
        return found

    return function


def _trim(left: bool, right: bool) -> Any:
    def function(value: Any, chars: Any) -> Any:
        if nullish(value):
            if chars is not ABSENT and not nullish(chars) and kind(chars) != "string":
                raise Unsure("null before an error")
            return None
        text = need_text(value, "$trim")
        if nullish(chars) and chars is not ABSENT:
            return None
        unwanted = WHITESPACE if chars is ABSENT else need_text(chars, "$trim")
        if not unwanted:
            return text
        text = text.lstrip(unwanted) if left else text
        return text.rstrip(unwanted) if right else text

    return function


def _replace(count: int) -> Any:
    def function(value: Any, find: Any, replacement: Any) -> Any:
        if count < 0 and kind(find) == "regex":
            raise Unsure("a pattern, which newer servers alone replace")
        for one in (value, find, replacement):
            if not nullish(one):
                need_text(one, "$replace")
        if nullish(value) or nullish(find) or nullish(replacement):
            return None
        return value.replace(find, replacement, count)

    return function


register("$concat", variadic(_concat))
register("$toUpper", positional(lambda value: text_of(value).translate(_UPPER), 1, 1))
register("$toLower", positional(lambda value: text_of(value).translate(_LOWER), 1, 1))
register("$split", positional(_split, 2, 2))
register("$strLenCP", positional(lambda value: len(need_text(value, "$strLenCP")), 1, 1))
register("$strLenBytes", positional(lambda value: len(need_text(value, "$strLenBytes").encode()), 1, 1))
register("$strcasecmp", positional(_compare_ignoring_case, 2, 2))
register("$substr", positional(_bytes, 3, 3))
register("$substrBytes", positional(_bytes, 3, 3))
register("$substrCP", positional(_code_points, 3, 3))
register("$indexOfBytes", positional(_index_of(True), 2, 4))
register("$indexOfCP", positional(_index_of(False), 2, 4))
register("$trim", named(_trim(True, True), ("input",), ("chars",)))
register("$ltrim", named(_trim(True, False), ("input",), ("chars",)))
register("$rtrim", named(_trim(False, True), ("input",), ("chars",)))
register("$replaceOne", named(_replace(1), ("input", "find", "replacement")))
register("$replaceAll", named(_replace(-1), ("input", "find", "replacement")))
