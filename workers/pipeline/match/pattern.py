"""Regular expressions as conditions: of strings, and of a regular expression that is the same."""

from __future__ import annotations

from typing import Any

from bson import Regex

from workers.pipeline.match.nodes import Place, Quick, Single, ValueTest
from workers.pipeline.patterns import PatternError, compile_pattern

_LETTERS = tuple((letter, int(Regex("", letter).flags)) for letter in "imsxu")


def regex_test(pattern: str, options: str, place: Place) -> ValueTest:
    """The test of `$regex`; a pattern that cannot be used is noted at `place`."""
    try:
        search = compile_pattern(pattern, options).search
    except PatternError as error:
        place.wrong(str(error), "a regular expression")
        return ValueTest(lambda value: False)
    # `u` is what every pattern has here: two that differ in it alone are the same.
    flags = Regex(pattern, options.replace("u", "")).flags
    without_u = ~int(Regex("", "u").flags)

    def single(value: Any) -> bool:
        if isinstance(value, Regex):
            return bool(value.pattern == pattern and int(value.flags) & without_u == flags)
        return value.__class__ is str and search(value) is not None

    return ValueTest(single, quick=Quick("{v}.__class__ is str", "{k}({v}) is not None", {"k": search}))


def single_for(regex: Regex[str], place: Place) -> Single:
    """The test for a regular expression that stands as a value (`$in`, `$all`)."""
    return regex_test(regex.pattern, letters(regex), place).single


def letters(regex: Regex[str]) -> str:
    """The options of a BSON regular expression that have a meaning here (`l` has none in UTF-8)."""
    return "".join(letter for letter, flag in _LETTERS if int(regex.flags) & flag)
