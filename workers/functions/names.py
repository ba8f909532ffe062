"""What a caller may write for a function, as the Lambda API takes it. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}(?:/[A-Za-z0-9_-]{1,64}){0,8}")
_QUALIFIER: Final = re.compile(r"\$LATEST|[A-Za-z0-9_-]{1,128}")
_ARN: Final = re.compile(r"arn:aws[A-Za-z-]*:lambda:[a-z0-9-]+:\d{12}:function:(?P<rest>.+)")
_PARTIAL: Final = re.compile(r"(?:\d{12}:)?function:(?P<rest>.+)")

ALIAS_RULE: Final = "letters, digits, - and _ (at most 128), not digits alone: those are versions"
NAME_RULE: Final = "letters, digits, - and _ (at most 64), folders separated by /"


class Target(NamedTuple):
    """A function and, when the caller named one, the version or alias."""

    name: str
    qualifier: str | None


class BadName(ValueError):
    """The text is no function name, alias or ARN."""


def is_name(text: str) -> bool:
    """Whether a function may be called so."""
    return _NAME.fullmatch(text) is not None


def is_alias(found: object) -> bool:
    """Whether a version may be called so beside its number."""
    if not isinstance(found, str) or found == "$LATEST" or found.isdigit():
        return False
    return _QUALIFIER.fullmatch(found) is not None


def parse_target(text: str, qualifier: str | None = None) -> Target:
    """Read `name`, `name:alias`, `account:function:name[:alias]`, `function:name[:alias]` or a full ARN.

    `qualifier` is the one of the query string. Raises BadName, also when both are given and differ.
    """
    match = _ARN.fullmatch(text) or _PARTIAL.fullmatch(text)
    name, colon, own = (match["rest"] if match else text).partition(":")
    if not is_name(name) or (colon and not _QUALIFIER.fullmatch(own)):
        raise BadName(f"{text[:200]!r} is no function name, name:alias or ARN")
    if qualifier is not None and not _QUALIFIER.fullmatch(qualifier):
        raise BadName(f"{qualifier[:200]!r} is no version or alias")
    if colon and qualifier is not None and own != qualifier:
        raise BadName("The derived qualifier from the function name does not match the specified qualifier.")
    return Target(name, own if colon else qualifier)
