"""From a tree of expressions to lines of Python. Nothing is looked up when the lines run.

Every line knows the place in the pipeline that it came from, so that an error is told by the number of the
line it happened on, and a document that passes pays nothing for it.

What a fragment may be: a local name, a literal or the name of a constant, or (only from `condition` and an
operator's `emit`) text that cannot fail and is used once. Whatever can fail stands on a line of its own.
"""

from __future__ import annotations

import builtins
import keyword
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from workers.pipeline.nodes import (
    ROOT,
    ArrayOf,
    Call,
    Const,
    FieldPath,
    Lines,
    Node,
    ObjectOf,
    children,
    may_be_missing,
)
from workers.pipeline.paths import read
from workers.pipeline.values import MISSING, truthy

# CPython refuses more than 20 loops and `try`s within each other, and 100 levels of indentation. What is
# nested deeper than this goes into a function of its own.
_MAX_LOOPS: Final = 12
_MAX_DEPTH: Final = 50

# Components of a path that are read in line, each once and on a line of its own; two are the usual case.
_MAX_INLINE_PARTS: Final = 8

# What generated functions and their locals are called. Builtins keep their meaning, too.
_OWN: Final = "docs metas doc meta out append error many key headers segment expression emission constant k"
_RESERVED: Final = frozenset(_OWN.split()) | frozenset(dir(builtins))

_LOOPS: Final = ("for ", "try:", "while ")


@dataclass(slots=True)
class _Loop:
    """A loop over elements that is being written: where it starts in which lines, how deep, and the block of
    reads around it."""

    lines: list[str]
    marks: list[tuple[str, int]]
    start: int
    depth: int
    block: int


class Once:
    """A value that is had anew each time a generated function begins, and stays the same until it ends."""

    __slots__ = ("_function", "value")

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self.value: Any = None

    def begin(self) -> None:
        """Have the value."""
        self.value = self._function()


class Emitter:
    """Lines under construction: the function at hand, and finished ones beside it.

    `marks[i]` says where line i of `lines` came from: (place in the pipeline, number of the stage).
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.marks: list[tuple[str, int]] = []
        self.done: list[tuple[list[str], list[tuple[str, int]]]] = []
        self.names: dict[str, Any] = {"M": MISSING}
        self.path, self.stage = "", 0
        self.doc = "d0"
        self.doc_is_ours = False
        self.uses_meta = False
        self._depth = self._loops = 0
        self._count = 0
        self._bound: dict[int, str] = {id(MISSING): "M"}
        self._once: dict[Callable[[], Any], str] = {}
        self._locals: dict[str, str] = {}
        self._open: list[_Loop] = []
        # What was read from which local, innermost block last: a name is only known within its block.
        self._reads: list[dict[tuple[str, tuple[str, ...]], str]] = [{}]

    # Lines and names

    def line(self, text: str) -> None:
        """One line at the present depth."""
        self.lines.append("    " * self._depth + text)
        self.marks.append((self.path, self.stage))

    def lazy(self, node: Node, *, condition: bool = False) -> tuple[str, Lines]:
        """Text and lines of what need not happen; the lines are indented one level deeper than here."""
        kept = self.lines, self.marks
        self.lines, self.marks = [], []
        self._depth += 1
        self._reads.append({})
        try:
            text = self.condition(node) if condition else self.value(node)
            return text, list(zip(self.lines, self.marks, strict=True))
        finally:
            self._depth -= 1
            self._reads.pop()
            self.lines, self.marks = kept

    def splice(self, lines: Lines) -> None:
        """Put lines of `lazy` here."""
        self.lines += [line for line, _ in lines]
        self.marks += [mark for _, mark in lines]

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """What is emitted within is indented under the header; names read in it end with it."""
        is_loop = header.startswith(_LOOPS)
        over_elements = header.startswith("for x")
        if over_elements:
            self._open.append(
                _Loop(self.lines, self.marks, len(self.lines), self._depth, len(self._reads) - 1)
            )
        self.line(header)
        self._depth += 1
        self._loops += is_loop
        self._reads.append({})
        try:
            yield
        finally:
            self._depth -= 1
            self._loops -= is_loop
            self._reads.pop()
            if over_elements:
                self._open.pop()

    def name(self) -> str:
        """A new local name."""
        self._count += 1
        return f"x{self._count}"

    def new_doc(self) -> str:
        """A new local name for a document as it leaves a stage."""
        self._count += 1
        return f"d{self._count}"

    def constant(self, value: Any) -> str:
        """A literal, or a name bound to the value."""
        kind = value.__class__
        if value is None or kind is bool or kind is int:
            return repr(value)
        if kind is float and math.isfinite(value):
            return repr(value)
        if kind is str:
            return ascii(value)
        return self.bound(value, "k")

    def function(self, function: Callable[..., Any]) -> str:
        """The name that a function is bound to."""
        hint = getattr(function, "__name__", "f").strip("_")
        return self.bound(function, hint if hint.isidentifier() else "f")

    def meta(self) -> str:
        """The local that holds the document's meta, or None where there is none."""
        self.uses_meta = True
        return "meta"

    def once(self, function: Callable[[], Any]) -> str:
        """The name of what the function gave when the generated one began; `begin` must follow."""
        name = self._once.get(function)
        if name is None:
            name = self._once[function] = self.bound(Once(function), "once")
        return self.assign(f"{name}.value")

    def begin(self, at: int) -> None:
        """Put what happens once at line `at`, the first of the generated function."""
        for name in self._once.values():
            self.lines.insert(at, f"    {name}.begin()")
            self.marks.insert(at, (self.path, self.stage))

    def bound(self, value: Any, hint: str) -> str:
        """The name that a value is bound to, like the hint."""
        known = self._bound.get(id(value))
        if known is not None:
            return known
        name = f"{hint}_" if keyword.iskeyword(hint) else hint
        if name in self.names or name in _RESERVED:
            name = f"{hint}{len(self.names)}"
        self.names[name] = value  # keeps the value alive, so its id stays its own
        self._bound[id(value)] = name
        return name

    def assign(self, text: str) -> str:
        """The local name that holds what the text evaluates to."""
        if text.isidentifier():
            return text
        name = self.name()
        self.line(f"{name} = {text}")
        return name

    def call(self, function: Callable[..., Any], *args: str) -> str:
        """A line that calls a function; the name of its value."""
        return self.assign(f"{self.function(function)}({', '.join(args)})")

    def bind(self, variable: str, local: str) -> None:
        """From here on the variable is the local name (or literal)."""
        self._locals[variable] = local if local.isidentifier() else self.assign(local)

    # Expressions

    def value(self, node: Node) -> str:
        """Evaluate the node here; a name or literal that holds its value."""
        known = self.without_lines(node)
        if known is not None:
            return known
        if self._depth > _MAX_DEPTH or self._loops > _MAX_LOOPS:
            return self._outlined(node)
        path, self.path = self.path, node.path
        if isinstance(node, Call):
            found = self.assign(self._call_text(node))
        elif isinstance(node, FieldPath):
            found = self._read(node)
        elif isinstance(node, ObjectOf):
            found = self._object(node)
        else:
            assert isinstance(node, ArrayOf)
            found = self.assign(f"[{', '.join(self.or_null(item) for item in node.items)}]")
        self.path = path
        return found

    def or_null(self, node: Node) -> str:
        """The value, null where it is missing."""
        found = self.value(node)
        if isinstance(node, Const):
            return "None" if node.value is MISSING else found
        return f"None if {found} is M else {found}" if may_be_missing(node) else found

    def without_lines(self, node: Node) -> str | None:
        """The name or literal of a value that is at hand."""
        if isinstance(node, Const):
            return self.constant(node.value)
        if isinstance(node, FieldPath):
            base = self._base(node)
            if not node.parts:
                if node.variable == ROOT:
                    self.doc_is_ours = False  # it may end up in itself, or in another document
                return base
            return self._known(base, node.parts)
        return None

    def condition(self, node: Node) -> str:
        """The truth of the node's value, as text to use once."""
        if isinstance(node, Const):
            return repr(truthy(node.value))
        if isinstance(node, Call) and node.operator.gives_bool:
            if self._depth > _MAX_DEPTH or self._loops > _MAX_LOOPS:
                return self._outlined(node)
            path, self.path = self.path, node.path
            text = self._call_text(node)
            self.path = path
            return text
        found = self.value(node)
        return f"({found} is True or {found} is not False and {self.function(truthy)}({found}))"

    def _call_text(self, node: Call) -> str:
        operator = node.operator
        if operator.emit is not None:
            return operator.emit(self, node)
        assert operator.function is not None, f"{operator.name} has neither function nor emit"
        absent = self.constant(operator.absent)
        args = [absent if arg is None else self.value(arg) for arg in node.args]
        return self.call(operator.function, *args)

    def _object(self, node: ObjectOf) -> str:
        """All fields as a literal, and out with those that turn out to be missing: mostly none is."""
        values = [(ascii(name), self.value(inner), may_be_missing(inner)) for name, inner in node.fields]
        there = [(name, value, doubtful) for name, value, doubtful in values if value != "M"]
        made = self.assign("{" + ", ".join(f"{name}: {value}" for name, value, _ in there) + "}")
        for name, value, doubtful in there:
            if doubtful:
                self.line(f"if {value} is M: del {made}[{name}]")
        return made

    # Reading fields

    def _base(self, node: FieldPath) -> str:
        return self.doc if node.variable == ROOT else self._locals[node.variable]

    def _known(self, base: str, parts: tuple[str, ...]) -> str | None:
        for block in reversed(self._reads):
            found = block.get((base, parts))
            if found is not None:
                return found
        return None

    def _read(self, node: FieldPath) -> str:
        base, is_document = self._base(node), node.variable == ROOT
        field = node.parts[0]
        first = self._known(base, node.parts[:1])
        if first is None:
            text = f"{base}.get({field!a}, M)"
            if not is_document:
                text += f" if {base}.__class__ is dict else {self.function(read)}({base}, {(field,)!a})"
            first = self._put(text, base, node.parts[:1], is_document=is_document)
        if len(node.parts) > _MAX_INLINE_PARTS:
            text = f"{self.function(read)}({first}, {node.parts[1:]!a})"
            return self._put(text, base, node.parts, is_document=is_document)
        holder = first
        for length in range(2, len(node.parts) + 1):
            parts = node.parts[:length]
            found = self._known(base, parts)
            if found is None:
                # A holder that is a document was reached through documents alone; whatever else it is, the
                # path is walked from its beginning, because arrays on the way make a difference.
                walk = f"{self.function(read)}({first}, {parts[1:]!a})"
                text = f"{holder}.get({parts[-1]!a}, M) if {holder}.__class__ is dict else {walk}"
                found = self._put(text, base, parts, is_document=is_document)
            holder = found
        return holder

    def _put(self, text: str, base: str, parts: tuple[str, ...], *, is_document: bool) -> str:
        """A line that reads a field. What does not change within a loop is read before it."""
        found = self.name()
        if not is_document or not self._open:
            self.line(f"{found} = {text}")
            self._reads[-1][base, parts] = found
            return found
        loop = self._open[0]
        loop.lines.insert(loop.start, "    " * loop.depth + f"{found} = {text}")
        loop.marks.insert(loop.start, (self.path, self.stage))
        for other in self._open:
            if other.lines is loop.lines:
                other.start += 1
        self._reads[loop.block][base, parts] = found
        return found

    def field_is(self, field: str, local: str) -> None:
        """The document at hand has this value (a name, MISSING too) in a field."""
        self._reads[-1][self.doc, (field,)] = local

    def document_is(
        self, local: str, *, ours: bool, unchanged_from: str = "", changed: frozenset[str] = frozenset()
    ) -> None:
        """The document at hand is another local. `ours`: nobody else holds it. What was read from
        `unchanged_from` still holds, but for the `changed` fields."""
        if unchanged_from:
            for block in self._reads:
                for (base, parts), found in list(block.items()):
                    if base != unchanged_from:
                        continue
                    if parts[0] in changed:
                        if base == local:
                            del block[base, parts]
                    else:
                        block[local, parts] = found
        self.doc, self.doc_is_ours = local, ours

    # Functions beside the one at hand

    def _outlined(self, node: Node) -> str:
        """The node as a function of its own, because the one at hand is nested too deep."""
        used = {self.doc, "meta"}
        waiting: list[Node] = [node]
        while waiting:
            inner = waiting.pop()
            waiting += children(inner)
            if isinstance(inner, FieldPath) and inner.variable in self._locals:
                used.add(self._locals[inner.variable])
        used = {name for name in used if not keyword.iskeyword(name) and name not in self.names}
        params = ", ".join(sorted(used))
        kept = self.lines, self.marks, self._depth, self._loops, self._reads, self._open
        self.lines, self.marks, self._depth, self._loops = [], [], 0, 0
        self._reads, self._open = [{}], []
        function = f"f{self.name()}"
        with self.block(f"def {function}({params}):"):
            self.line(f"return {self.value(node)}")
        self.done.append((self.lines, self.marks))
        self.lines, self.marks, self._depth, self._loops, self._reads, self._open = kept
        return self.assign(f"{function}({params})")
