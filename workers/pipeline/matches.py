"""Regular expressions over text as expressions use them: by value, and match after match."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from bson import Regex

from workers.errors import Poison
from workers.pipeline.patterns import OPTION_LETTERS, PatternError, Search, compile_pattern

_LETTERS: Final = tuple((letter, int(Regex("", letter).flags)) for letter in OPTION_LETTERS)

# Patterns that come with documents; constant ones are compiled once for good.
_KEPT_PATTERNS: Final = 256

# 1 ns each.
_MAX_STEPS: Final = 4_000_000_000


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
    start = steps = 0
    while True:
        match = search(text, start)
        if match is None:
            return
        yield match
        # Finding the place of a match again takes a look at the text before it.
        steps += match.end()
        if steps > _MAX_STEPS:
            raise Poison(f"too many matches for a text of {len(text)} characters")
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
