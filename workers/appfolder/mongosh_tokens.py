"""Text of the MongoDB shell to tokens with their places. Pure.

Whole JavaScript is not read: only what stands in a pasted pipeline. A slash always begins a comment or a
regular expression, since nothing is ever divided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from workers.appfolder.limits import BadText
from workers.appfolder.surrogates import RULE, paired

Kind = Literal["punctuation", "name", "number", "text", "regex", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """`text` as written; `value` is a text without its quotes and escapes, or a regular expression's pattern;
    `flags` are the regular expression's."""

    kind: Kind
    text: str
    position: int
    value: str = ""
    flags: str = ""


_SPACE: Final = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_NAME: Final = re.compile(r"[^\W\d][\w$]*|\$[\w$]*")
_NUMBER: Final = re.compile(
    r"0[xX][0-9a-fA-F_]+n?|0[oO][0-7_]+n?|0[bB][01_]+n?|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?n?"
)
_PUNCTUATION: Final = re.compile(r"\.\.\.|=>|[{}\[\]():,;=.+\-*%?!<>&|]")
_REGEX: Final = re.compile(r"/((?:[^/\\\[\n]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n])*\])+)/([A-Za-z]*)")
_PLAIN: Final = {quote: re.compile(rf"[^{quote}\\\n\r]*") for quote in "\"'"}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_HEX_ESCAPE: Final = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}")


def place(text: str, position: int) -> tuple[int, int]:
    """Line and column, from 1. A tab counts as one column, as in editors' status lines."""
    before = text.rfind("\n", 0, position)
    return text.count("\n", 0, position) + 1, position - before


def bad(text: str, position: int, found: str, expected: str) -> BadText:
    """The error for what stands at a position."""
    line, column = place(text, position)
    return BadText(found, expected, line=line, column=column)


def tokens(text: str) -> Iterator[Token]:
    """All tokens, an `end` last. Raises BadText."""
    position = 0
    while True:
        if space := _SPACE.match(text, position):
            position = space.end()
        if position >= len(text):
            yield Token("end", "", len(text))
            return
        token = _token(text, position)
        yield token
        position += len(token.text)


def _token(text: str, position: int) -> Token:
    first = text[position]
    if first in "\"'":
        return _text(text, position)
    if found := _NUMBER.match(text, position):
        return Token("number", found[0], position)
    if found := _NAME.match(text, position):
        return Token("name", found[0], position)
    if first == "/":
        return _regex(text, position)
    if found := _PUNCTUATION.match(text, position):
        return Token("punctuation", found[0], position)
    if first == "`":
        raise bad(text, position, "a template text in backquotes", "a text in double or single quotes")
    hint = "plain double quotes" if first in "“”„‘’" else "JavaScript as the MongoDB shell takes it"
    raise bad(text, position, f"the character {first!r}", hint)


def _regex(text: str, position: int) -> Token:
    if text.startswith("/*", position):
        raise bad(text, position, "a comment without its end", "*/ after it")
    found = _REGEX.match(text, position)
    if found is None:
        raise bad(text, position, "a slash that ends nothing", "a regular expression on one line: /pattern/i")
    return Token("regex", found[0], position, value=found[1], flags=found[2])


def _text(text: str, start: int) -> Token:
    quote, position = text[start], start + 1
    parts: list[str] = []
    while True:
        plain = _PLAIN[quote].match(text, position)
        assert plain is not None  # the pattern takes the empty text too
        parts.append(plain[0])
        position = plain.end()
        if position >= len(text) or text[position] in "\n\r":
            raise bad(text, start, "a text without its end", f"{quote} at its end, on the same line")
        if text[position] == quote:
            try:
                value = paired("".join(parts))
            except ValueError as error:
                raise bad(text, start, str(error), RULE) from None
            return Token("text", text[start : position + 1], start, value=value)
        added, position = _escape(text, position + 1)
        parts.append(added)


def _escape(text: str, position: int) -> tuple[str, int]:
    """What follows a backslash, and where the text goes on."""
    if found := _HEX_ESCAPE.match(text, position):
        code = int(found[1] or found[2] or found[3], 16)
        if code > 0x10FFFF:
            raise bad(text, position - 1, f"the escape \\{found[0]}", "a code point up to 10FFFF")
        return chr(code), found.end()
    letter = text[position : position + 1]
    if letter in ("x", "u", "") or (
        letter.isdigit() and text[position : position + 2].isdigit() and letter == "0"
    ):
        shown = text[position - 1 : position + 5].splitlines()[0]
        raise bad(text, position - 1, f"the escape {shown!r}", "\\xHH or \\uHHHH with hexadecimal digits")
    if letter in "123456789":
        raise bad(
            text, position - 1, f"the escape \\{letter}", "\\xHH: JavaScript has no octal escapes any more"
        )
    if text.startswith("\r\n", position):
        return "", position + 2
    return ("" if letter in "\n\r" else _ESCAPES.get(letter, letter)), position + 1
