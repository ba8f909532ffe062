"""What fastavro read, as BSON values, by the schema. Pure; docs/schema-registry.md has the table.

It reads the names of records in unions, too: (name, record) stands there.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, DecimalException
from typing import Any, Final
from uuid import UUID

from bson import Binary, Decimal128, Int64

from topics.codecs.avro_schema import AvroType
from topics.codecs.avro_unfit import Convert, Unfit, at_place


def reader(kind: AvroType) -> Convert | None:
    """What makes BSON values of what fastavro read, in place where it can; None where they are that already.
    It raises Unfit."""
    return _reader(kind, {})


def _reader(kind: AvroType, made: dict[int, Convert]) -> Convert | None:
    match kind.kind:
        case "long" if not kind.logical:
            return Int64
        case "long" | "int" | "string" | "bytes" | "fixed" if kind.logical:
            return _READ_LOGICAL[kind.logical]
        case "record":
            return _read_record(kind, made)
        case "array":
            items = _reader(kind.parts[0], made)
            return (
                None if items is None else lambda found: [at_place(items, v, n) for n, v in enumerate(found)]
            )
        case "map":
            values = _reader(kind.parts[0], made)
            if values is None:
                return None
            return lambda found: {name: at_place(values, value, name) for name, value in found.items()}
        case "union":
            return _read_union(kind, made)
    return None


def _read_record(kind: AvroType, made: dict[int, Convert]) -> Convert | None:
    if id(kind) in made:
        return made[id(kind)]
    steps: list[tuple[str, Convert]] = []

    def read(record: Any) -> Any:
        for name, convert in steps:
            try:
                record[name] = convert(record[name])
            except Unfit as error:
                error.path.append(name)
                raise
        return record

    made[id(kind)] = read
    for one in kind.fields:
        convert = _reader(one.type, made)
        if convert is not None:
            steps.append((one.name, convert))
    return read if steps or kind.is_recursive else None


def _read_union(kind: AvroType, made: dict[int, Convert]) -> Convert | None:
    """By the class of what was read; an int beside a long is read as a long. A record comes with its name, an
    enum or fixed does where it was defined before."""
    named: dict[str, Convert | None] = {}
    by_class: dict[type, Convert] = {}
    for part in kind.parts:
        convert = _reader(part, made)
        if part.kind in ("record", "enum", "fixed"):
            named[part.branch] = convert
        if convert is not None and part.kind != "record":
            by_class[_class_of(part)] = convert
    if not named and not by_class:
        return None

    def read(value: Any) -> Any:
        if value.__class__ is tuple:
            name, content = value
            convert = named[name]
            return content if convert is None else convert(content)
        found = by_class.get(value.__class__)
        return value if found is None else found(value)

    return read


_CLASSES: Final[dict[str, type]] = {
    "long": int, "array": list, "map": dict, "decimal": Decimal, "uuid": UUID, "date": dt.date,
    "time-millis": dt.time, "time-micros": dt.time, "timestamp-millis": dt.datetime,
    "timestamp-micros": dt.datetime, "local-timestamp-millis": dt.datetime,
    "local-timestamp-micros": dt.datetime,
}  # fmt: skip
"""What fastavro makes of the types whose values are converted."""


def _class_of(part: AvroType) -> type:
    return bytes if part.kind == "fixed" and part.logical == "uuid" else _CLASSES[part.logical or part.kind]


def _read_decimal(value: Decimal) -> Decimal128:
    try:
        return Decimal128(value)
    except (DecimalException, ValueError):
        raise Unfit("a decimal of more than 34 digits, which BSON has no place for") from None


def _read_uuid(value: UUID | bytes) -> Binary:
    return Binary(value.bytes if isinstance(value, UUID) else value, 4)


def _read_moment(value: dt.datetime) -> dt.datetime:
    """BSON dates are milliseconds: what is finer is cut off. A local time is taken as UTC."""
    return value.replace(microsecond=value.microsecond // 1000 * 1000, tzinfo=dt.UTC)


def _read_day(value: dt.date) -> dt.datetime:
    return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)


def _microseconds(value: dt.time) -> int:
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond


_READ_LOGICAL: Final[dict[str, Convert]] = {
    "decimal": _read_decimal, "uuid": _read_uuid, "date": _read_day,
    "timestamp-millis": _read_moment, "timestamp-micros": _read_moment,
    "local-timestamp-millis": _read_moment, "local-timestamp-micros": _read_moment,
    "time-millis": lambda value: _microseconds(value) // 1000,
    "time-micros": lambda value: Int64(_microseconds(value)),
}  # fmt: skip
