"""Regular expressions over text as expressions use them: by value, and match after match."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from bson import Regex

from workers.errors import Poison
from workers.pipeline.patterns import OPTION_LETTERS, PatternError, Search, compile_pattern
from workers.settings import MAX_MATCHING_CHARACTERS

_LETTERS: Final = tuple((letter, int(Regex("", letter).flags)) for letter in OPTION_LETTERS)

# Patterns that come with documents; constant ones are compiled once for good.
_KEPT_PATTERNS: Final = 256


def letters_of(regex: Regex[str]) -> str:
    """The options of a regular expression as letters."""
    return "".join(letter for letter, flag in _LETTERS if int(regex.flags) & flag)


@lru_cache(maxsize=_KEPT_PATTERNS)
def search_of(pattern: str, options: str) -> Search:
    """The pattern, compiled. Raises PatternError."""
    return compile_pattern(pattern, options).search


def search_by(regex: Regex[Any], operator: str) -> Search:
    """The search of a BSON regular expression. Raises Poison."""
    try:
        return search_of(regex.pattern, letters_of(regex))
    except PatternError as error:
        raise Poison(f"{operator}: {error}") from None


def matches_of(text: str, search: Search) -> Iterator[Any]:
    """Matches one after the other. After an empty one the search goes on a character later, and not at the
    end of the text: so the server finds five empty matches in `hello`."""
    start = found = looked_at = 0
    while True:
        match = search(text, start)
        if match is None:
            return
        yield match
        if match.__class__ is not re.Match:  # Python's knows its place; PCRE2's counts the characters before
            looked_at += match.end()
            if looked_at > MAX_MATCHING_CHARACTERS:
                raise Poison(f"more than {found} matches in a text of {len(text)} characters are too many")
        found += 1
        start = match.end() if match.end() > match.start() else match.end() + 1
        if start >= len(text):
            return


def between(text: str, search: Search) -> Iterator[tuple[str, Any]]:
    """(what stands before a match, the match) for each that is not empty; at the end (the rest, None)."""
    last = 0
    for match in matches_of(text, search):
        if match.end() > match.start():
            yield text[last : match.start()], match
            last = match.end()
    yield text[last:], None
