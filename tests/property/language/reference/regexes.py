"""Regular expressions, for patterns that Python and PCRE read alike."""

from __future__ import annotations

import re
from typing import Any

from tests.property.language.reference.interpreter import ABSENT, named, register
from tests.property.language.reference.strings import need_text
from tests.property.language.reference.values import DataError, Unsure, flags_of, kind, nullish

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": re.UNICODE}


def compiled(pattern: Any, options: Any = "") -> re.Pattern[str]:
    """A pattern of Python; DataError for a bad one."""
    if kind(pattern) == "regex":
        source, options = pattern.pattern, options or flags_of(pattern)
    else:
        source = pattern
    if "\0" in source or "\0" in options:
        raise DataError("a null character in a pattern")
    flags = 0
    for option in options:
        if option not in _FLAGS:
            raise DataError(f"unknown option {option!r}")
        flags |= _FLAGS[option]
    try:
        return re.compile(source, flags | (0 if "u" in options else re.ASCII))
    except (re.error, OverflowError):
        raise DataError("a bad pattern") from None


def _prepared(value: Any, pattern: Any, options: Any) -> re.Pattern[str] | None:
    """The pattern, None when a null makes the answer null."""
    if options is not ABSENT and not nullish(options):
        need_text(options, "options")
    if not nullish(value):
        need_text(value, "a regular expression's input")
    if nullish(pattern):
        return None
    if kind(pattern) not in ("string", "regex"):
        raise DataError("no pattern")
    given = "" if options is ABSENT or nullish(options) else options
    if kind(pattern) == "regex" and flags_of(pattern) and options is not ABSENT and not nullish(options):
        if not options:
            raise Unsure("empty options beside a pattern's own")
        raise DataError("options in two places")
    found = compiled(pattern, given)
    return None if nullish(value) else found


def _described(match: re.Match[str]) -> dict[str, Any]:
    return {"match": match.group(), "idx": match.start(), "captures": list(match.groups())}


def _match(value: Any, pattern: Any, options: Any) -> bool:
    found = _prepared(value, pattern, options)
    return bool(found and found.search(value))


def _find(value: Any, pattern: Any, options: Any) -> Any:
    found = _prepared(value, pattern, options)
    match = found.search(value) if found else None
    return _described(match) if match else None


def _find_all(value: Any, pattern: Any, options: Any) -> Any:
    found = _prepared(value, pattern, options)
    if found is None:
        return []
    matches = list(found.finditer(value))
    if any(not match.group() for match in matches):
        raise Unsure("empty matches in a row")
    return [_described(match) for match in matches]


register("$regexMatch", named(_match, ("input", "regex"), ("options",)))
register("$regexFind", named(_find, ("input", "regex"), ("options",)))
register("$regexFindAll", named(_find_all, ("input", "regex"), ("options",)))
