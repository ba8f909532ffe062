"""Strict JSON to plain values, keys in order, duplicate keys refused. Pure."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from workers.appfolder.limits import MAX_DEPTH, BadText

_OPENING: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|[\[{]|[\]}]')

_EXPECTED: Final = {
    "Expecting property name enclosed in double quotes": "a key in double quotes",
    "Expecting value": "a value",
    "Expecting ',' delimiter": "a comma or a closing bracket",
    "Expecting ':' delimiter": "a colon",
    "Extra data": "the end of the text",
    "Illegal trailing comma before end of object": "no comma before a closing bracket",
    "Illegal trailing comma before end of array": "no comma before a closing bracket",
}


def parse_json(text: str) -> Any:
    """Raises BadText: line and column where the text breaks, the name of a duplicate key."""
    _check_depth(text)
    try:
        return json.loads(text, object_pairs_hook=_document, parse_constant=_constant)
    except json.JSONDecodeError as error:
        what = _EXPECTED.get(error.msg, error.msg[0].lower() + error.msg[1:])
        raise BadText(_there(text, error.pos), what, line=error.lineno, column=error.colno) from None
    except BadText:
        raise
    except ValueError:
        raise BadText("a number with thousands of digits", "a number that a double can hold") from None


def _check_depth(text: str) -> None:
    """Brackets outside of texts, before the parser recurses into them."""
    depth = 0
    for found in _OPENING.finditer(text):
        if found[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                line = text.count("\n", 0, found.start()) + 1
                column = found.start() - text.rfind("\n", 0, found.start())
                raise BadText(
                    f"nested more than {MAX_DEPTH} levels deep", "fewer levels", line=line, column=column
                )
        elif found[0] in "]}":
            depth -= 1


def _document(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise BadText(f"the key {key!r} a second time", "each key once")
            seen.add(key)
    return found


def _constant(name: str) -> NoReturn:
    raise BadText(f"found {name}, which JSON has not", f'{{"$numberDouble": "{name}"}}')


def _there(text: str, position: int) -> str:
    """What stands at a position, in a few characters."""
    if position >= len(text):
        return "found the end of the text"
    line = text[position:].splitlines()[0] if text[position] not in "\r\n" else ""
    return f"found {line[:20]!r}" if line else "found the end of the line"
