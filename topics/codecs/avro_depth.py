"""How deep a value of Avro goes, before it is read. Pure.

fastavro reads by recursion in C without a limit: 5,000 levels of a schema that holds itself (15 KB of data)
end the process. Only such schemas are looked at, 0.2 us a value within.
"""

from __future__ import annotations

from topics.codecs.avro_schema import AvroType


class TooDeep(Exception):
    """The value has more levels than the limit."""


def is_recursive(root: AvroType) -> bool:
    """Whether any type within holds itself."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        kind = waiting.pop()
        if id(kind) not in seen:
            seen.add(id(kind))
            if kind.is_recursive:
                return True
            waiting += [*kind.parts, *(one.type for one in kind.fields)]
    return False


def check_depth(root: AvroType, data: bytes, limit: int) -> None:
    """Raises TooDeep where documents and arrays nest more than `limit` levels, EOFError where the data ends
    too early, ValueError where it is none of the type."""
    _Walk(data, limit).skip(root, 0)


class _Walk:
    __slots__ = ("_at", "_data", "_limit")

    def __init__(self, data: bytes, limit: int) -> None:
        self._data, self._at, self._limit = data, 0, limit

    def skip(self, kind: AvroType, level: int) -> None:
        match kind.kind:
            case "record":
                self._enter(level)
                for one in kind.fields:
                    self.skip(one.type, level + 1)
            case "union":
                branch = self._number()
                if not 0 <= branch < len(kind.parts):
                    raise ValueError("a union has no such branch")
                self.skip(kind.parts[branch], level)
            case "array" | "map":
                self._enter(level)
                self._blocks(kind, level + 1)
            case "int" | "long" | "enum":
                self._number()
            case "bytes" | "string":
                self._move(self._number())
            case "fixed":
                self._move(kind.size)
            case "boolean":
                self._move(1)
            case "float" | "double":
                self._move(4 if kind.kind == "float" else 8)

    def _enter(self, level: int) -> None:
        if level >= self._limit:
            raise TooDeep

    def _blocks(self, kind: AvroType, level: int) -> None:
        while count := self._number():
            if count < 0:
                self._number()  # the block's size in bytes
            for _ in range(abs(count)):
                if kind.kind == "map":
                    self._move(self._number())
                self.skip(kind.parts[0], level)

    def _move(self, size: int) -> None:
        if size < 0 or self._at + size > len(self._data):
            raise EOFError
        self._at += size

    def _number(self) -> int:
        found = shift = 0
        while True:
            if self._at >= len(self._data):
                raise EOFError
            byte = self._data[self._at]
            self._at += 1
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (found >> 1) ^ -(found & 1)
            shift += 7
            if shift > 63:
                raise ValueError("a number of more than 64 bits")
