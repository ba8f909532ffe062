"""What the conversions between Avro and BSON say of a value that has no place on the other side. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Convert = Callable[[Any], Any]


class Unfit(ValueError):
    """A value that does not fit its place. `path` grows from the inside out. No values in the text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []

    def where(self) -> str:
        """One line: the place and why."""
        return f"{'.'.join(reversed(self.path))}: {self.reason}" if self.path else self.reason


def at_place(convert: Convert, value: Any, place: object) -> Any:
    try:
        return convert(value)
    except Unfit as error:
        error.path.append(str(place))
        raise
