"""Expansions: `%%user.data.email` and what it stands for in one call. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from workers.functions.rules.errors import RuleInvalid
from workers.functions.rules.values import MISSING

ROOTS: Final = ("user", "request", "args", "values", "environment")
CONSTANTS: Final = {"%%true": True, "%%false": False}
_OF_DOCUMENTS: Final = frozenset({"root", "prevRoot", "this", "prev", "partition"})

MAX_PATH_PARTS: Final = 64

Known = Mapping[str, Any]
"""Root name -> its value in this call. A root that is not there is missing."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """A root and the path below it."""

    root: str
    path: tuple[str, ...]

    def candidates(self, known: Known) -> list[Any]:
        """Every value that the path leads to, as a query sees it: arrays on the way are gone through. MISSING
        where a document on the way has no such field."""
        start = known.get(self.root, MISSING)
        return list(_walk(start, self.path, 0, is_request=self.root == "request"))

    def value(self, known: Known) -> Any:
        """The one value that an operand needs: through an array, the array of what its elements have."""
        return _read(known.get(self.root, MISSING), self.path, 0, is_request=self.root == "request")


def parse(text: str, path: str) -> Expansion | bool:
    """`%%true` and `%%false` are booleans, everything else is a root with a path. Raises RuleInvalid."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    root, *parts = text[2:].split(".")
    if f"%%{root}" in CONSTANTS:
        raise RuleInvalid(path, f"{text[:80]!r}: %%{root} has no fields", f"%%{root}")
    if root in _OF_DOCUMENTS:
        raise RuleInvalid(
            path, f"%%{root} stands for a document of a database, and a call has none", _known_roots()
        )
    if root not in ROOTS:
        raise RuleInvalid(path, f"unknown expansion %%{root[:40]}", _known_roots())
    if not all(parts) or len(parts) > MAX_PATH_PARTS:
        raise RuleInvalid(path, f"{text[:80]!r} is no path", "names separated by single dots")
    return Expansion(root, tuple(parts))


def argument(name: str, path: str) -> Expansion:
    """A plain field name: the field of the arguments. Raises RuleInvalid."""
    parts = tuple(name.split("."))
    if not all(parts) or len(parts) > MAX_PATH_PARTS:
        raise RuleInvalid(path, f"{name[:80]!r} is no path", "names separated by single dots")
    return Expansion("args", parts)


def _known_roots() -> str:
    return "one of " + ", ".join(f"%%{root}" for root in (*ROOTS, "true", "false"))


def _walk(value: Any, path: tuple[str, ...], at: int, *, is_request: bool) -> Iterator[Any]:
    if at == len(path):
        yield value
    elif value.__class__ is dict:
        found = _field(value, path, at, is_request=is_request)
        yield from _walk(found, path, at + 1, is_request=False if at else is_request)
    elif value.__class__ is list:
        index = _index(path[at])
        if index is not None and index < len(value):
            yield from _walk(value[index], path, at + 1, is_request=False)
        for item in value:
            if item.__class__ is dict:
                yield from _walk(item, path, at, is_request=False)
    else:
        yield MISSING


def _read(value: Any, path: tuple[str, ...], at: int, *, is_request: bool) -> Any:
    while at < len(path):
        if value.__class__ is dict:
            value = _field(value, path, at, is_request=is_request)
        elif value.__class__ is list:
            index = _index(path[at])
            if index is None:
                found = [_read(item, path, at, is_request=False) for item in value if item.__class__ is dict]
                return [one for one in found if one is not MISSING]
            value = value[index] if index < len(value) else MISSING
        else:
            return MISSING
        at += 1
    return value


def _field(value: dict[str, Any], path: tuple[str, ...], at: int, *, is_request: bool) -> Any:
    """The field of a document. The names of request headers are the same in capitals and in small letters,
    as HTTP has it."""
    name = path[at]
    if is_request and at == 1 and path[0] == "requestHeaders" and name not in value:
        small = name.lower()
        name = next((one for one in value if one.lower() == small), name)
    return value.get(name, MISSING)


def _index(name: str) -> int | None:
    return int(name) if name.isascii() and name.isdigit() and len(name) < 10 else None
