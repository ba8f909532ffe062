"""`$concat $split $strLenBytes $strLenCP $strcasecmp $substrBytes $substrCP $toLower $toUpper $trim ...`.

Upper and lower case are those of ASCII, as the server has them; CP counts code points, Bytes counts UTF-8.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from typing import Any, Final

from bson import Decimal128, Regex

from workers.errors import Poison
from workers.pipeline.matches import between, search_by
from workers.pipeline.nodes import Call, Const, Emitting, Example, Named, Operator, Positional
from workers.pipeline.text import coerced
from workers.pipeline.values import (
    INT32_MAX,
    INT64_MAX,
    INT64_MIN,
    is_nan,
    is_nullish,
    is_number,
    type_name,
    whole_number,
)

_TO_UPPER: Final = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
_TO_LOWER: Final = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_SPACE: Final = "\0 \t\n\v\f\r\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B)))


def concat(*texts: Any) -> Any:
    """The texts one after the other; null where one is null or missing."""
    for text in texts:
        if is_nullish(text):
            return None
        if text.__class__ is not str:
            raise Poison(f"$concat only supports strings, not {type_name(text)}")
    return "".join(texts)


def _emit_concat(em: Emitting, call: Call) -> str:
    nodes = call.given
    texts = [em.value(node) for node in nodes]
    slow = f"{em.function(concat)}({', '.join(texts)})"
    plain = [isinstance(node, Const) and node.value.__class__ is str for node in nodes]
    certain = all(known or not isinstance(node, Const) for node, known in zip(nodes, plain, strict=True))
    if not certain or len(nodes) < 2:
        return em.assign(slow)
    tests = [f"{text}.__class__ is str" for text, known in zip(texts, plain, strict=True) if not known]
    return em.assign(f"{' + '.join(texts)} if {' and '.join(dict.fromkeys(tests))} else {slow}")


def upper(text: Any) -> str:
    """ASCII letters in upper case."""
    found = coerced(text, "$toUpper")
    return found.upper() if found.isascii() else found.translate(_TO_UPPER)


def lower(text: Any) -> str:
    """ASCII letters in lower case."""
    found = coerced(text, "$toLower")
    return found.lower() if found.isascii() else found.translate(_TO_LOWER)


def case_compare(left: Any, right: Any) -> int:
    """-1, 0 or 1, upper and lower case of ASCII being the same."""
    one = coerced(left, "$strcasecmp").translate(_TO_UPPER)
    two = coerced(right, "$strcasecmp").translate(_TO_UPPER)
    return (one > two) - (one < two)


def length(text: Any) -> int:
    """Code points."""
    if text.__class__ is not str:
        raise Poison(f"$strLenCP requires a string argument, found: {type_name(text)}")
    return len(text)


def length_bytes(text: Any) -> int:
    """Bytes of UTF-8."""
    if text.__class__ is not str:
        raise Poison(f"$strLenBytes requires a string argument, found: {type_name(text)}")
    return len(_utf8(text))


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _count(value: Any, operator: str, what: str) -> int:
    """A start or length: a whole number of 32 bits."""
    found = whole_number(value)
    if found is None or abs(found) > INT32_MAX + 1:
        raise Poison(f"{operator}: {what} must be a whole number of 32 bits, but is {type_name(value)}")
    return found


def substring(text: Any, start: Any, count: Any) -> str:
    """`count` code points from `start` on."""
    found = coerced(text, "$substrCP")
    first, many = _count(start, "$substrCP", "the start"), _count(count, "$substrCP", "the length")
    if first < 0 or many < 0:
        raise Poison("$substrCP: the start and the length must not be below zero")
    return found[first : first + many]


def substring_bytes(text: Any, start: Any, count: Any) -> str:
    """`count` bytes of UTF-8 from `start` on, to the end where `count` is below zero."""
    found = _utf8(coerced(text, "$substrBytes"))
    first, many = _truncated(start, "the start"), _truncated(count, "the length")
    if first < 0:
        raise Poison("$substrBytes: the start must not be below zero")
    last = len(found) if many < 0 else min(first + many, len(found))
    for edge in (first, last):
        if edge < len(found) and found[edge] & 0xC0 == 0x80:
            raise Poison("$substrBytes: the range begins or ends within a character")
    return found[first:last].decode("utf-8", "surrogatepass")


def _truncated(value: Any, what: str) -> int:
    """Any number, cut towards zero and to 64 bits."""
    if not is_number(value) or is_nan(value):
        raise Poison(f"$substrBytes: {what} must be a number, but is {type_name(value)}")
    number = value.to_decimal() if value.__class__ is Decimal128 else value
    return int(max(INT64_MIN, min(INT64_MAX, number)))


def split(text: Any, delimiter: Any) -> Any:
    """The parts between the delimiters."""
    if is_nullish(text) or is_nullish(delimiter):
        return None
    if text.__class__ is not str:
        raise Poison(f"$split requires a string as a first argument, found: {type_name(text)}")
    if isinstance(delimiter, Regex):
        return list(split_by(text, delimiter))
    if delimiter.__class__ is not str:
        raise Poison(f"$split requires a string as a second argument, found: {type_name(delimiter)}")
    if not delimiter:
        raise Poison("$split requires a non-empty separator")
    return text.split(delimiter)


def split_by(text: str, delimiter: Regex[Any]) -> Iterator[str | None]:
    """The parts between matches of a pattern, with what its groups captured between them."""
    for part, match in between(text, search_by(delimiter, "$split")):
        yield part
        if match is not None:
            yield from match.groups()


def _trim(operator: str, strip: Callable[[str, str], str]) -> Callable[[Any, Any], Any]:
    def trimmed(text: Any, chars: Any) -> Any:
        if is_nullish(text):
            return None
        if text.__class__ is not str:
            raise Poison(f"{operator} requires its input to be a string, got {type_name(text)}")
        if chars is _DEFAULT:
            return strip(text, _SPACE)
        if is_nullish(chars):
            return None
        if chars.__class__ is not str:
            raise Poison(f"{operator} requires 'chars' to be a string, got {type_name(chars)}")
        return strip(text, chars) if chars else text

    return trimmed


_DEFAULT: Final = object()  # `chars` left out: white space; given and null: null


def _trim_operator(name: str, strip: Callable[[str, str], str], where: str, result: str) -> Operator:
    return Operator(
        name=name,
        signature=Named(("input",), ("chars",)),
        meaning=f"The text without white space, or without the characters of `chars`, {where}.",
        example=Example({name: {"input": "$a"}}, result, {"a": " text "}),
        function=_trim(name, strip),
        absent=_DEFAULT,
    )


def _positional(
    name: str, count: int, function: Callable[..., Any], meaning: str, example: Example
) -> Operator:
    return Operator(
        name=name, signature=Positional(count, count), meaning=meaning, example=example, function=function
    )


OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator(
            name="$concat",
            signature=Positional(0, None),
            meaning="Texts one after the other; null where one is null or missing.",
            example=Example({"$concat": ["$a", "-", "$b"]}, "x-y", {"a": "x", "b": "y"}),
            function=concat,
            emit=_emit_concat,
        ),
        _positional(
            "$split",
            2,
            split,
            "The parts between a delimiter: a text, or a regular expression, whose groups are kept.",
            Example({"$split": ["$a", "-"]}, ["x", "y"], {"a": "x-y"}),
        ),
        _positional(
            "$strLenBytes",
            1,
            length_bytes,
            "The length in bytes of UTF-8.",
            Example({"$strLenBytes": "$a"}, 5, {"a": "caf\u00e9"}),
        ),
        _positional(
            "$strLenCP",
            1,
            length,
            "The length in code points.",
            Example({"$strLenCP": "$a"}, 4, {"a": "caf\u00e9"}),
        ),
        _positional(
            "$strcasecmp",
            2,
            case_compare,
            "Compares texts whatever the case of ASCII letters.",
            Example({"$strcasecmp": ["$a", "ABC"]}, 0, {"a": "abc"}),
        ),
        _positional(
            "$substr",
            3,
            substring_bytes,
            "The old name of $substrBytes.",
            Example({"$substr": ["$a", 0, 2]}, "te", {"a": "text"}),
        ),
        _positional(
            "$substrBytes",
            3,
            substring_bytes,
            "A part of a text, counted in bytes; a length below zero means to the end.",
            Example({"$substrBytes": ["$a", 1, -1]}, "ext", {"a": "text"}),
        ),
        _positional(
            "$substrCP",
            3,
            substring,
            "A part of a text: start and length in code points.",
            Example({"$substrCP": ["$a", 1, 2]}, "ex", {"a": "text"}),
        ),
        _positional(
            "$toLower",
            1,
            lower,
            "ASCII letters in lower case; empty for null.",
            Example({"$toLower": "$a"}, "text", {"a": "TeXT"}),
        ),
        _positional(
            "$toUpper",
            1,
            upper,
            "ASCII letters in upper case; empty for null.",
            Example({"$toUpper": "$a"}, "TEXT", {"a": "Text"}),
        ),
        _trim_operator("$trim", str.strip, "at both ends", "text"),
        _trim_operator("$ltrim", str.lstrip, "at the front", "text "),
        _trim_operator("$rtrim", str.rstrip, "at the end", " text"),
    )
}
