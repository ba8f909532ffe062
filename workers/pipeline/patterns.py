r"""Regular expressions: PCRE2, as on the server, and never for ever. Pure; compiled once at start.

As MongoDB compiles them: text is UTF-8, `\d \w \s \b` are ASCII, `i` folds all of Unicode, `.` is all but
a line feed, `$` also matches before a last one.

What bounds a search: PCRE2 gives up after 10,000,000 steps of backtracking, about 25 ms. It does not count
steps of a simple repetition, so text that a pattern with an unbounded repetition is asked of is limited in
length. Both are refusals of the document, alike on every machine, with no clock read.

A call of PCRE2 costs 1 us, whatever the pattern. Patterns of a simple kind, which Python's `re` reads in the
same way and finishes in few steps, are searched by `re` in 0.1 to 0.2 us.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import pcre2  # type: ignore[import-untyped]

from workers.errors import Poison

# The server's own limit for the length of a pattern.
MAX_PATTERN_CHARACTERS: Final = 16_384

# An unbounded repetition in the middle can take n * n / 2 steps of 0.5 ns: 1 s for this many characters.
MAX_TEXT_CHARACTERS: Final = 65_536

# Without machine code steps take 5 ns and more.
_MAX_INTERPRETED_CHARACTERS: Final = 16_384

OPTION_LETTERS: Final = "imsxu"
_PCRE2_FLAGS: Final = {
    "i": pcre2.IGNORECASE,
    "m": pcre2.MULTILINE,
    "s": pcre2.DOTALL,
    "x": pcre2.VERBOSE,
    "u": pcre2.NOFLAG,
}
_PYTHON_FLAGS: Final = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}

_JIT_STACK_LIMIT: Final = -46  # PCRE2_ERROR_JIT_STACKLIMIT

Search: TypeAlias = Callable[..., Any]
"""(text, where to start = 0) -> the first match from there on, or None. What comes before the start is still
seen. The match has `group()`, `groups()`, `start()` and `end()`, in code points. Raises Poison."""


class PatternError(ValueError):
    """The pattern cannot be used. The text says what and why, for a person."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `is_quick`: Python's `re` searches short texts."""

    search: Search
    is_quick: bool


def compile_pattern(pattern: str, options: str = "") -> Pattern:
    """The pattern ready for `search`. `options` are of the letters i m s x u. Raises PatternError."""
    unknown = "".join(letter for letter in options if letter not in OPTION_LETTERS)
    if unknown:
        raise PatternError(f"unknown option {unknown[0]!r}: the options are i, m, s, x and u")
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise PatternError(
            f"the pattern has {len(pattern)} characters, the limit is {MAX_PATTERN_CHARACTERS}"
        )
    if "\0" in pattern:
        raise PatternError("the pattern holds a zero character")
    bounded = _bounded(pattern, options)
    quick = _quick(pattern, options, bounded)
    return Pattern(quick or bounded, quick is not None)


# PCRE2

# `\Q...\E` is taken whole. The binding reads `\x` and `\u` as JavaScript does; they are spelled out for it.
_ESCAPE: Final = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\x\{(?P<code>[0-9A-Fa-f]+)\}|\\x(?P<byte>[0-9A-Fa-f]{0,2})|\\(?P<other>.)", re.DOTALL
)
# Whatever may go on without end, or come back to itself; also where it only looks so.
_UNBOUNDED: Final = re.compile(r"[*+]|\{\d*,\}|\(\?(?:R|&|P>|[+-]?\d)|\\g")


def _spelled(found: re.Match[str]) -> str:
    if found["code"] is not None:
        code = int(found["code"], 16)
        if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise PatternError(f"\\x{{{code:x}}} is no character of Unicode")
        return f"\\u{code:04x}" if code <= 0xFFFF else chr(code)
    if found["byte"] is not None:
        return f"\\x{int(found['byte'] or '0', 16):02x}"
    if found["other"] in ("u", "U"):
        raise PatternError(f"\\{found['other']} is no escape of a regular expression: write \\x{{...}}")
    return found[0]


def _bounded(pattern: str, options: str) -> Search:
    """The search by PCRE2."""
    flags = pcre2.ASCII
    for letter in options:
        flags |= _PCRE2_FLAGS[letter]
    text = _ESCAPE.sub(_spelled, pattern)
    try:
        interpreted = pcre2.compile(text, flags, jit=False).search
    except UnicodeEncodeError:
        raise PatternError("the pattern holds a lone surrogate") from None
    except (pcre2.PatternError, MemoryError) as error:
        raise PatternError(f"the pattern is not valid: {_told(error)}") from None
    is_fixed = _UNBOUNDED.search(pattern) is None
    try:
        compiled = pcre2.compile(text, flags).search
    except (pcre2.LibraryError, MemoryError):
        # Where no memory may be made executable, and for the few patterns that have no machine code.
        return _limited(interpreted, None if is_fixed else _MAX_INTERPRETED_CHARACTERS, None)
    return _limited(compiled, None if is_fixed else MAX_TEXT_CHARACTERS, interpreted)


def _told(error: Exception) -> str:
    return str(getattr(error, "msg", "") or type(error).__name__)


def _limited(search: Search, most: int | None, otherwise: Search | None) -> Search:
    """The search, with what it cannot do as Poison. `most`: characters of text; `otherwise`: for what may
    outgrow the 32 KiB of stack that machine code has."""

    def limited(text: str, start: int = 0) -> Any:
        if most is not None and len(text) > most:
            reason = f"a pattern that repeats without bound is searched in at most {most} characters"
            raise Poison(f"{reason}, the text has {len(text)}")
        try:
            return search(text, start)
        except pcre2.LibraryError as error:
            if error.code != _JIT_STACK_LIMIT:
                raise Poison(f"the regular expression gave up: {error.msg}") from None
        except UnicodeEncodeError:
            raise Poison("the text holds a lone surrogate") from None
        if otherwise is None or len(text) > _MAX_INTERPRETED_CHARACTERS:
            raise Poison("the regular expression gave up: it needs too much memory for this text")
        return _limited(otherwise, None, None)(text, start)

    return limited


# Python's `re`

_MAX_QUICK_PATTERN: Final = 256
_MAX_QUICK_TEXT: Final = 4_096
_MAX_GROUPS: Final = 2

# Atoms that both read alike: characters, escaped punctuation, ASCII classes, plain sets.
_ATOM: Final = (
    r"(?:[^\\^$.|()\[\]{}?*+]|\\[^A-Za-z0-9\x80-\U0010ffff]|\\[dwsDWS]|\."
    r"|\[\^?(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9 _.,:;@/%!=<>])++\])"
)
_ITEM: Final = rf"(?:{_ATOM}(?:(?P<once>\?)|\{{\d\d?(?P<range>,\d\d?)?\}}|(?P<many>[*+]))?(?![?*+{{])|\\b)"
_PLAIN_ITEM: Final = re.sub(r"\?P<\w+>", "?:", _ITEM)
_GROUP: Final = rf"(?P<group>\((?:\?:)?{_PLAIN_ITEM}*+(?:\|{_PLAIN_ITEM}*+)*+\))"
_TOKEN: Final = re.compile(rf"{_ITEM}|(?P<open>\((?:\?:)?)|[|)^$]")
_BRANCH: Final = rf"\^?(?:{_PLAIN_ITEM}|{_GROUP.replace('?P<group>', '?:')})*+\$?"
_SIMPLE: Final = re.compile(rf"{_BRANCH}(?:\|{_BRANCH})*+")


# Spelled out: of `(?a:\W)` at the start of a pattern Python only looks for characters that are no letters.
_CLASSES: Final = {
    "d": "[0-9]",
    "w": "[A-Za-z0-9_]",
    "s": r"[ \t-\r]",
    "D": "[^0-9]",
    "W": "[^A-Za-z0-9_]",
    "S": r"[^ \t-\r]",
    "b": r"(?a:\b)",
}


def _ascii(found: re.Match[str]) -> str:
    return _CLASSES.get(found[1], found[0])


def _quick(pattern: str, options: str, bounded: Search) -> Search | None:
    """The search by `re` for patterns of the simple kind: at most one repetition of any number, or two of up
    to 99, and two groups. What is longer than 4,096 characters is left to the other search."""
    if len(pattern) > _MAX_QUICK_PATTERN or "x" in options or ("m" in options and "^" in pattern):
        return None  # `^` in lines: Python has one more, after a line feed that ends the text
    folds = "i" in options
    if folds and not pattern.isascii():
        return None
    if not _SIMPLE.fullmatch(pattern):
        return None
    tokens = list(_TOKEN.finditer(pattern))
    many = sum(token["many"] is not None for token in tokens)
    ranges = sum(token["once"] is not None or token["range"] is not None for token in tokens)
    groups = sum(token["open"] is not None for token in tokens)
    if groups > _MAX_GROUPS or (many, ranges) not in ((0, 0), (0, 1), (0, 2), (1, 0)):
        return None
    flags = re.NOFLAG
    for letter in options:
        flags |= _PYTHON_FLAGS.get(letter, re.NOFLAG)
    try:
        search = re.compile(re.sub(r"\\(.)", _ascii, pattern), flags).search
    except (re.error, OverflowError):
        return None
    if not (many or ranges or groups or "|" in pattern or folds):
        return search  # as many steps as characters, at most by the length of the pattern

    def quick(text: str, start: int = 0) -> Any:
        # Of letters beyond ASCII, Python folds a few that PCRE2 does not.
        if len(text) <= _MAX_QUICK_TEXT and (not folds or text.isascii()):
            return search(text, start)
        return bounded(text, start)

    return quick
