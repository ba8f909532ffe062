"""Whole numbers as text in the bases 2, 8, 10 and 16, as `base` of `$convert` asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from workers.pipeline.conversion import CONVERSIONS
from workers.pipeline.inconvertible import failed
from workers.pipeline.values import whole_number

BASES: Final = (2, 8, 10, 16)
_LETTERS: Final[Mapping[int, str]] = {2: "b", 8: "o", 16: "X"}
_TEXTS: Final[Mapping[int, re.Pattern[str]]] = {
    2: re.compile(r"[+-]?(?:0[bB])?[01]{1,64}"),
    8: re.compile(r"[+-]?[0-7]{1,22}"),
    16: re.compile(r"[+-]?(?:0[xX])?[0-9a-fA-F]{1,16}"),
}


def in_base(value: Any, base: int) -> str:
    """A number as text. Raises Inconvertible for a fraction in another base than 10."""
    letter = _LETTERS.get(base)
    if letter is None:
        return str(CONVERSIONS["string"](value))
    number = whole_number(value)
    if number is None:
        raise failed(value, "string", f"only whole numbers are written in base {base}")
    return format(number, letter)


def number_in_base(text: str, base: int, to: str) -> Any:
    """A text as a number of the type. Raises Inconvertible."""
    pattern = _TEXTS.get(base)
    if pattern is None:
        return CONVERSIONS[to](text)
    if not pattern.fullmatch(text):
        raise failed(text, to, f"the text is no whole number in base {base}")
    return CONVERSIONS[to](str(int(text, base)))
