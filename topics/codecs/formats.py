"""The formats that `$emit` writes values in: which function makes bytes of a document. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import orjson

from topics.codecs.json import OPTIONS, encode, encode_canonical, has_non_finite, holds_null, not_encodable
from topics.codecs.spelling import (
    BASIC,
    BASIC_FLOATS,
    CANONICAL,
    ISO_DATES,
    RELAXED,
    RELAXED_FLOATS,
    Table,
    hook,
    spell_all,
)

OutputFormat = Literal["relaxedJson", "canonicalJson", "basicJson"]
DateFormat = Literal["default", "ISO8601"]
Encoder = Callable[[Any], bytes]

_dumps = orjson.dumps


def encoder(output: OutputFormat = "relaxedJson", dates: DateFormat = "default") -> Encoder:
    """The function that writes a value in this format. It raises NotEncodable.

    `ISO8601` writes dates as text with milliseconds, `2024-10-24T18:07:29.636Z`, in any output format.
    """
    return _ENCODERS[output, dates]


def _light(table: Table, floats: Table) -> Encoder:
    """Writes through orjson, and only what it does not know by hand: the way of formats that leave numbers
    and strings as they are."""
    spell_one, in_full = hook(table), {**table, **floats}

    def write(value: Any) -> bytes:
        try:
            text = _dumps(value, spell_one, OPTIONS)
            if holds_null(text) and has_non_finite(value):
                return _dumps(spell_all(value, in_full), spell_one, OPTIONS)
        except (TypeError, RecursionError) as error:
            raise not_encodable(error) from None
        return text

    return write


def _whole(table: Table) -> Encoder:
    """Spells every value before it is written: the way of canonical Extended JSON, where each number has a
    wrapper."""
    spell_one = hook(table)

    def write(value: Any) -> bytes:
        try:
            return _dumps(spell_all(value, table), spell_one, OPTIONS)
        except (TypeError, RecursionError) as error:
            raise not_encodable(error) from None

    return write


_ENCODERS: Final[dict[tuple[OutputFormat, DateFormat], Encoder]] = {
    ("relaxedJson", "default"): encode,
    ("relaxedJson", "ISO8601"): _light({**RELAXED, **ISO_DATES}, RELAXED_FLOATS),
    ("canonicalJson", "default"): encode_canonical,
    ("canonicalJson", "ISO8601"): _whole({**CANONICAL, **ISO_DATES}),
    ("basicJson", "default"): _light(BASIC, BASIC_FLOATS),
    ("basicJson", "ISO8601"): _light({**BASIC, **ISO_DATES}, BASIC_FLOATS),
}
