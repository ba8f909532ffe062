"""The chart's values with their descriptions: what README.md and values.schema.json are printed from.

A comment that begins with `# --` describes the key under it, `# @ {...}` is JSON that goes into its schema. A
mapping without described keys, such as a default of `resources`, is one value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

CHART: Final = Path(__file__).parents[2] / "helm" / "penstock"

_KEY: Final = re.compile(r"^( *)([A-Za-z][A-Za-z0-9]*):(?: |$)")
_COMMENT: Final = re.compile(r"^( *)# ?(.*)$")


@dataclass(slots=True)
class Value:
    """One described key. `default` is None for null; `keys` are the described keys of a mapping."""

    path: tuple[str, ...]
    description: str
    schema: dict[str, Any]
    default: Any
    keys: dict[str, Value] = field(default_factory=dict)

    def leaves(self) -> Iterator[Value]:
        """Itself, or every value below it that has no described keys, in the file's order."""
        if not self.keys:
            yield self
        for one in self.keys.values():
            yield from one.leaves()


def read_values(chart: Path = CHART) -> Value:
    """The described values of `values.yaml` under a root without a description."""
    text = (chart / "values.yaml").read_text("utf-8")
    defaults = YAML(typ="safe").load(text)
    root = Value((), "", {}, defaults)
    stack: list[tuple[int, Value]] = [(-1, root)]
    comment: list[str] = []
    for line in text.splitlines():
        if found := _COMMENT.match(line):
            comment.append(found[2])
            continue
        key = _KEY.match(line)
        described, schema = _described(comment)
        comment = []
        if key is None or not described:
            continue
        indent = len(key[1])
        while stack[-1][0] >= indent:
            stack.pop()
        parent = stack[-1][1]
        name = key[2]
        value = Value((*parent.path, name), described, schema, parent.default[name])
        parent.keys[name] = value
        stack.append((indent, value))
    return root


def undescribed(chart: Path = CHART) -> list[str]:
    """Keys beside described ones that have no description of their own."""
    found: list[str] = []

    def look(value: Value) -> None:
        if value.keys:
            found.extend(".".join((*value.path, name)) for name in value.default if name not in value.keys)
        for one in value.keys.values():
            look(one)

    look(read_values(chart))
    return found


def _described(comment: list[str]) -> tuple[str, dict[str, Any]]:
    texts: list[str] = []
    schema: dict[str, Any] = {}
    begun = False
    for line in comment:
        if line.startswith("-- "):
            texts, begun = [line[3:]], True
        elif line.startswith("@ "):
            schema = json.loads(line[2:])
        elif begun:
            texts.append(line)
    return " ".join(texts), schema
