"""Extended JSON type wrappers in what was read, as the BSON values they stand for. Pure."""

from __future__ import annotations

from typing import Any, Final

from topics.codecs.ejson import INT64_MAX, INT64_MIN, Malformed, resolve
from workers.appfolder.surrogates import RULE, paired
from workers.errors import Problem

_UINT64_MAX: Final = 2 * INT64_MAX + 1


def with_literals(value: Any, file: str, path: str) -> tuple[Any, list[Problem]]:
    """A copy of `value` with every `{"$date": ...}`, `{"$numberLong": ...}` and so on replaced.

    Only exact wrappers are: `{"$regex": ...}` of a query, `$type`, `$literal` stay as written. A wrapper
    whose content is not of its type is a problem; so is an integer that no BSON type holds.
    """
    problems: list[Problem] = []
    return _converted(value, file, path, problems), problems


def _converted(value: Any, file: str, path: str, problems: list[Problem]) -> Any:
    if isinstance(value, dict):
        if not all(map(_is_whole, value)):
            problems.append(Problem(file, path, "a key with half of a surrogate pair", RULE))
        here = {
            key: _converted(child, file, f"{path}.{key}" if path else key, problems)
            for key, child in value.items()
        }
        try:
            return resolve(here)
        except Malformed as error:
            if not error.path:  # otherwise a child's, and reported there
                problems.append(
                    Problem(file, path, f"a malformed {error.wrapper}", f"it needs {error.expected}")
                )
            return {}
    if isinstance(value, list):
        return [_converted(child, file, f"{path}[{at}]", problems) for at, child in enumerate(value)]
    if isinstance(value, str) and not _is_whole(value):
        problems.append(Problem(file, path, "a text with half of a surrogate pair", RULE))
    if type(value) is int and not INT64_MIN <= value <= _UINT64_MAX:
        problems.append(
            Problem(
                file, path, "an integer of more than 64 bits", '{"$numberDecimal": "..."} holds 34 digits'
            )
        )
    return value


def _is_whole(text: str) -> bool:
    """Strict JSON lets half a character through, as an escape; nothing could write it again."""
    try:
        return paired(text) == text
    except ValueError:
        return False
