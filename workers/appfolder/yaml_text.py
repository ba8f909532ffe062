"""YAML 1.2, core schema, to plain values: dict, list, str, int, float, bool, None. Pure.

Built on ruamel.yaml's events, not on its constructors: those read 2024-01-01 as a date and `<<` as a merge,
which are YAML 1.1, and let nested anchors grow without bound. Keys are always texts, as written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from workers.appfolder.limits import MAX_DEPTH, MAX_NODES, BadText
from workers.appfolder.surrogates import RULE, paired

_NULLS: Final = frozenset({"null", "Null", "NULL", "~", ""})
_BOOLEANS: Final = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
# 400 digits: beyond any double; Python refuses to read thousands.
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,400}")
_OCTAL: Final = re.compile(r"0o[0-7]{1,400}")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]{1,400}")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]{1,400}|[0-9]{1,400}(?:\.[0-9]{0,400})?)(?:[eE][-+]?[0-9]{1,9})?")
_INFINITY: Final = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_NAN: Final = frozenset({".nan", ".NaN", ".NAN"})

NodeEvent = ScalarEvent | SequenceStartEvent | MappingStartEvent

_PREFIX: Final = "tag:yaml.org,2002:"
_KINDS: Final = {
    "null": type(None), "bool": bool, "int": int, "float": float, "str": str,
}  # fmt: skip


def parse_yaml(text: str) -> Any:
    """The one document in the text; None for an empty one. Raises BadText with line and column."""
    events = YAML(typ="safe", pure=True).parse(text)
    try:
        return _Reader(events).document()
    except MarkedYAMLError as error:
        raise _translated(error) from None
    except YAMLError as error:
        # A control character: the reader knows no line, only the position.
        raise BadText(str(error).splitlines()[0], "text that can be printed") from None


def plain_scalar(text: str) -> Any:
    """A scalar without quotes, by the core schema.

    >>> plain_scalar("NO"), plain_scalar("0o17"), plain_scalar("1e3"), plain_scalar("2024-01-01")
    ('NO', 15, 1000.0, '2024-01-01')
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEXADECIMAL.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if found := _INFINITY.fullmatch(text):
        return float("-inf") if found[1] == "-" else float("inf")
    return float("nan") if text in _NAN else text


def _translated(error: MarkedYAMLError) -> BadText:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
    found = str(error.problem or error.context or "unreadable").strip().splitlines()[0]
    expected = ""
    if "'\\t'" in found:
        expected = "YAML is indented with spaces"
    elif "cannot start any token" in found:
        expected = "put the text into quotes"
    elif "mapping values are not allowed" in found:
        expected = 'put a text that holds ": " into quotes, or check the indentation'
    return BadText(found, expected, line=line, column=column)


@dataclass(slots=True)
class _Reader:
    """Builds values out of events. `anchors` maps a name to its value and how many values that stands for."""

    events: Iterator[Event]
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    nodes: int = 0

    def document(self) -> Any:
        value, seen = None, 0
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                seen += 1
                if seen > 1:
                    raise _bad(event, "a second document", "one document in each file")
                value = self.value(next(self.events), 1)
        return value

    def value(self, event: Event, depth: int) -> Any:
        """The value that begins with `event`."""
        if isinstance(event, AliasEvent):
            return self.alias(event)
        before = self.nodes
        self.count(event, 1)
        value: Any
        if isinstance(event, ScalarEvent):
            value = _scalar(event)
        elif depth > MAX_DEPTH:
            raise _bad(event, f"nested more than {MAX_DEPTH} levels deep", "fewer levels")
        elif isinstance(event, SequenceStartEvent):
            _check_tag(event, "seq")
            value = self.sequence(depth)
        else:
            assert isinstance(event, MappingStartEvent)
            _check_tag(event, "map")
            value = self.mapping(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, self.nodes - before)
        return value

    def sequence(self, depth: int) -> list[Any]:
        found = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            found.append(self.value(event, depth + 1))
        return found

    def mapping(self, start: MappingStartEvent, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise _bad(event, "a key that is no text", "keys are plain or quoted texts")
            key = _text(event)
            if event.tag is not None and event.tag != f"{_PREFIX}str":
                raise _bad(event, f"a key with the tag {_tag_name(event)}", "keys are texts")
            if key == "<<" and event.implicit[0]:
                raise _bad(event, "the merge key <<", "YAML 1.2 has none: write the keys out")
            if key in found:
                raise _bad(event, f"the key {key!r} a second time", "each key once")
            following = next(self.events)
            if _glued(start, event, following):
                raise _bad(event, f"the key {key!r} without a value", "a space after the colon")
            self.count(event, 1)
            found[key] = self.value(following, depth + 1)
        return found

    def alias(self, event: AliasEvent) -> Any:
        name = str(event.anchor)
        if name not in self.anchors:
            raise _bad(event, f"the alias *{name}", f"an anchor &{name} before it (and not around it)")
        value, size = self.anchors[name]
        self.count(event, size)
        return value

    def count(self, event: Event, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise _bad(event, f"more than {MAX_NODES:,} values, aliases counted in full", "a smaller file")


def _glued(start: MappingStartEvent, key: ScalarEvent, following: Event) -> bool:
    """`{b:"$x"}`: in braces YAML takes `b:"$x"` for a key without a value, which nobody means."""
    is_empty = isinstance(following, ScalarEvent) and following.implicit[0] and following.value == ""
    return bool(start.flow_style and key.implicit[0] and ":" in key.value and is_empty)


def _scalar(event: ScalarEvent) -> Any:
    if event.tag is None or event.tag == "!":
        return plain_scalar(event.value) if event.implicit[0] else _text(event)
    name = _tag_name(event)
    if name not in _KINDS:
        raise _bad(event, f"the tag {name}", "no tags, or one of !!str !!int !!float !!bool !!null")
    if name == "str":
        return _text(event)
    value = plain_scalar(event.value)
    if name == "float" and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not _KINDS[name]:
        raise _bad(event, f"{event.value!r} with the tag !!{name}", f"a value of the type {name}")
    return value


def _text(event: ScalarEvent) -> str:
    try:
        return paired(event.value)
    except ValueError as error:
        raise _bad(event, str(error), RULE) from None


def _check_tag(event: NodeEvent, expected: str) -> None:
    if event.tag is not None and event.tag not in ("!", f"{_PREFIX}{expected}"):
        raise _bad(event, f"the tag {_tag_name(event)}", "no tags on mappings and lists")


def _tag_name(event: NodeEvent) -> str:
    return str(event.tag).removeprefix(_PREFIX)


def _bad(event: Event, found: str, expected: str) -> BadText:
    return BadText(found, expected, line=event.start_mark.line + 1, column=event.start_mark.column + 1)
