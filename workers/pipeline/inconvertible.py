"""The errors of a conversion between types: the only ones that `onError` of $convert stands in for."""

from __future__ import annotations

from typing import Any

from workers.errors import Poison
from workers.pipeline.values import type_name


class Inconvertible(Poison):
    """The value cannot become one of that type: what `onError` of $convert stands in for."""


def unsupported(value: Any, to: str) -> Poison:
    """The error of a pair of types that has no conversion."""
    return Inconvertible(f"unsupported conversion from {type_name(value)} to {to} in $convert")


def failed(value: Any, to: str, why: str) -> Poison:
    """The error of a value that does not fit."""
    return Inconvertible(f"failed to convert {type_name(value)} to {to} in $convert: {why}")
