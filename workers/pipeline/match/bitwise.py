"""`$bitsAllSet $bitsAllClear $bitsAnySet $bitsAnyClear`: whole numbers that fit 64 bits, and binary data.

A negative number's sign goes on for ever to the left; beyond the end of binary data all bits are clear.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from workers.pipeline.match.nodes import NEVER, Condition, Place, ValueTest
from workers.pipeline.match.numbers import whole
from workers.pipeline.values import is_number

_POSITION_LIMIT: Final = 2**31
# A mask is an integer as long as its highest position. Numbers have 64 bits and a sign; only binary data
# longer than 8 KiB could tell positions beyond this one apart, and a mask for it would be up to 256 MiB.
_FAR: Final = 65_536
_MASK_EXPECTED: Final = "a whole number of 0 or more, an array of bit positions, or binary data"


def _mask(operand: Any, place: Place) -> int | None:
    """The bits asked for, as an integer; None when it is no mask (the problem is noted)."""
    if isinstance(operand, list):
        mask = 0
        for number, item in enumerate(operand):
            position = whole(item)
            if position is None or not 0 <= position < _POSITION_LIMIT:
                place.at(number).wrong("not a bit position", "a whole number from 0 to 2147483647")
            else:
                mask |= 1 << min(position, _FAR)
        return mask
    if isinstance(operand, bytes):
        return int.from_bytes(operand, "little")
    mask_value = whole(operand) if is_number(operand) else None
    if mask_value is None or mask_value < 0:
        place.wrong("not a bit mask", _MASK_EXPECTED)
        return None
    return mask_value


def _bits(value: Any) -> int | None:
    """The value's bits as an integer (negative: sign without end), or None where it has none."""
    if isinstance(value, bytes):
        return int.from_bytes(value, "little")
    return whole(value)


def _operator(holds: Callable[[int, int], bool]) -> Callable[[Any, Place], Condition]:
    def compile_operand(operand: Any, place: Place) -> Condition:
        mask = _mask(operand, place)
        if mask is None:
            return NEVER

        def single(value: Any) -> bool:
            bits = _bits(value)
            return bits is not None and holds(bits, mask)

        return ValueTest(single)

    return compile_operand


OPERATORS: Final[dict[str, Callable[[Any, Place], Condition]]] = {
    "$bitsAllSet": _operator(lambda bits, mask: bits & mask == mask),
    "$bitsAllClear": _operator(lambda bits, mask: bits & mask == 0),
    "$bitsAnySet": _operator(lambda bits, mask: bits & mask != 0),
    "$bitsAnyClear": _operator(lambda bits, mask: bits & mask != mask),
}
