"""BSON values as fastavro takes them, by the schema. Pure; docs/schema-registry.md has the table.

Dates and times become numbers and a value in a union (branch, value), so that fastavro has nothing to guess.
"""

from __future__ import annotations

import datetime as dt
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import Any, Final
from uuid import UUID

from bson import Binary, Decimal128, Int64, ObjectId
from bson.datetime_ms import DatetimeMS

from topics.codecs.avro_schema import AvroType, Field
from topics.codecs.avro_unfit import Convert, Unfit, at_place
from topics.codecs.ejson import INT64_MAX, INT64_MIN
from topics.codecs.spelling import milliseconds

_LARGEST_FLOAT: Final = 3.4028234663852886e38
_EXACT: Final = Context(prec=2_000, traps=[Inexact, InvalidOperation])
_NAMES: Final = {
    "NoneType": "null", "str": "a string", "bool": "a boolean", "int": "an int", "Int64": "a long",
    "float": "a double", "Decimal128": "a decimal", "datetime": "a date", "DatetimeMS": "a date",
    "dict": "a document", "list": "an array", "bytes": "binData", "Binary": "binData",
    "ObjectId": "an objectId",
}  # fmt: skip


def writer(kind: AvroType) -> Convert:
    """What makes of a BSON value what fastavro writes. It raises Unfit, and changes nothing."""
    return _writer(kind, {})


def _writer(kind: AvroType, made: dict[int, Convert]) -> Convert:
    match kind.kind:
        case "record":
            return _write_record(kind, made)
        case "union":
            return _write_union(kind, made)
        case "array":
            items = _writer(kind.parts[0], made)

            def write_items(value: Any) -> Any:
                if not isinstance(value, list):
                    raise _unfit(value, "an array")
                return [at_place(items, one, at) for at, one in enumerate(value)]

            return write_items
        case "map":
            values = _writer(kind.parts[0], made)

            def write_values(value: Any) -> Any:
                if not isinstance(value, dict):
                    raise _unfit(value, "a map")
                return {name: at_place(values, one, name) for name, one in value.items()}

            return write_values
    return _leaf_writer(kind)


def _leaf_writer(kind: AvroType) -> Convert:
    if kind.logical == "decimal":
        return lambda value: _write_decimal(kind, value)
    if kind.kind == "fixed":
        return lambda value: _write_fixed(kind, value)
    if kind.kind == "enum":
        return lambda value: _write_enum(kind, value)
    return _WRITE[kind.logical or kind.kind]


def _write_record(kind: AvroType, made: dict[int, Convert]) -> Convert:
    if id(kind) in made:
        return made[id(kind)]
    steps: list[tuple[str, Field, Convert]] = []

    def write(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _unfit(value, f"the record {kind.branch}")
        found: dict[str, Any] = {}
        for name, one, convert in steps:
            if name in value:
                try:
                    found[name] = convert(value[name])
                except Unfit as error:
                    error.path.append(name)
                    raise
            elif one.has_default:
                found[name] = one.default
            else:
                found[name] = _absent(one, convert)
        return found

    made[id(kind)] = write
    steps += ((one.name, one, _writer(one.type, made)) for one in kind.fields)
    return write


def _absent(one: Field, convert: Convert) -> Any:
    """A field that is not there is null where its type takes null."""
    try:
        return convert(None)
    except Unfit:
        error = Unfit("is missing, and the schema has no default for it")
        error.path.append(one.name)
        raise error from None


def _write_union(kind: AvroType, made: dict[int, Convert]) -> Convert:
    """The branch of the value's own type before one that it can be widened to; of several records the one
    with the most fields in common."""
    branches = [(part, _writer(part, made)) for part in kind.parts]

    def rank(part: AvroType, value: Any) -> tuple[bool, int]:
        if part.kind == "record" and isinstance(value, dict):
            return (False, -sum(one.name in value for one in part.fields))
        return (value.__class__ not in _OWN.get(part.logical or part.kind, ()), 0)

    orders: dict[type, list[tuple[AvroType, Convert]]] = {}

    def order(value: Any) -> list[tuple[AvroType, Convert]]:
        """The same for all values of a class but documents."""
        found = orders.get(value.__class__)
        if found is None:
            found = sorted(branches, key=lambda branch: rank(branch[0], value))
            if not isinstance(value, dict):
                orders[value.__class__] = found
        return found

    def write(value: Any) -> Any:
        reasons: list[Unfit] = []
        for part, convert in order(value):
            try:
                return (part.branch, convert(value))
            except Unfit as error:
                if part.kind != "null":
                    reasons.append(error)
        if len(reasons) == 1:
            raise reasons[0]
        raise _unfit(value, f"one of {', '.join(part.branch for part in kind.parts)}")

    return write


_OWN: Final[dict[str, tuple[type, ...]]] = {
    "null": (type(None),), "boolean": (bool,), "int": (int,), "long": (Int64,), "double": (float,),
    "string": (str, ObjectId), "bytes": (bytes, Binary), "decimal": (Decimal128,), "array": (list,),
    "uuid": (Binary,), "timestamp-millis": (dt.datetime, DatetimeMS),
    "timestamp-micros": (dt.datetime, DatetimeMS), "map": (dict,),
}  # fmt: skip
"""Which BSON values are of a type already."""


def _unfit(value: Any, wanted: str) -> Unfit:
    name = value.__class__.__name__
    return Unfit(f"{_NAMES.get(name, name)} does not fit {wanted}")


def _whole(value: Any, wanted: str, bits: int) -> int:
    """A number without a fraction, of so many bits."""
    found: int | None = None
    if value.__class__ in (int, Int64):
        found = int(value)
    elif value.__class__ is float and value.is_integer():
        found = int(value)
    elif value.__class__ is Decimal128:
        number = value.to_decimal()
        if number.is_finite() and number.adjusted() < 20 and number == number.to_integral_value():
            found = int(number)
    if found is None:
        raise _unfit(value, wanted)
    if not -(1 << (bits - 1)) <= found < 1 << (bits - 1):
        raise Unfit(f"a number of more than {bits} bits does not fit {wanted}")
    return found


def _write_null(value: Any) -> None:
    if value is not None:
        raise _unfit(value, "null")


def _write_boolean(value: Any) -> bool:
    if value.__class__ is not bool:
        raise _unfit(value, "boolean")
    return bool(value)


def _write_double(value: Any) -> float:
    if value.__class__ in (float, int, Int64):
        return float(value)
    raise _unfit(value, "double")


def _write_float(value: Any) -> float:
    if value.__class__ not in (float, int, Int64):
        raise _unfit(value, "float")
    found = float(value)
    if abs(found) > _LARGEST_FLOAT and found - found == 0.0:
        raise Unfit("a number beyond 32 bits does not fit float")
    return found


def _write_string(value: Any) -> str:
    if value.__class__ is ObjectId:
        return str(value)
    if not isinstance(value, str):
        raise _unfit(value, "string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Unfit("a string with a lone surrogate") from None
    return value


def _write_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return bytes(value)
    raise _unfit(value, "bytes")


def _write_fixed(kind: AvroType, value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise _unfit(value, f"the fixed {kind.branch}")
    if len(value) != kind.size:
        raise Unfit(f"{len(value)} bytes do not fit the fixed {kind.branch} of {kind.size}")
    return bytes(value)


def _write_enum(kind: AvroType, value: Any) -> str:
    if value.__class__ is str and value in kind.symbols:
        return str(value)
    if value.__class__ is str:
        raise Unfit(f"a string that is no symbol of the enum {kind.branch}")
    raise _unfit(value, f"the enum {kind.branch}")


def _write_decimal(kind: AvroType, value: Any) -> Decimal:
    if value.__class__ is Decimal128:
        number = value.to_decimal()
    elif value.__class__ in (int, Int64):
        number = Decimal(int(value))
    else:
        raise _unfit(value, f"decimal({kind.precision}, {kind.scale})")
    if not number.is_finite():
        raise Unfit("a decimal that is no number")
    try:
        found = number.quantize(Decimal(1).scaleb(-kind.scale), context=_EXACT)
    except (Inexact, InvalidOperation):
        raise Unfit(f"a decimal that has no exact form with {kind.scale} digits after the point") from None
    if len(found.as_tuple().digits) > kind.precision:
        raise Unfit(f"a decimal of more than {kind.precision} digits")
    return found


def _ms(value: Any, wanted: str) -> int:
    if isinstance(value, dt.datetime):
        return milliseconds(value)
    if value.__class__ is DatetimeMS:
        return int(value)
    raise _unfit(value, wanted)


def _write_micros(value: Any) -> int:
    found = _ms(value, "timestamp-micros") * 1000
    if isinstance(value, dt.datetime):
        found += value.microsecond % 1000
    if not INT64_MIN <= found <= INT64_MAX:
        raise Unfit("a date beyond what timestamp-micros holds")
    return found


def _write_day(value: Any) -> int:
    days, rest = divmod(_ms(value, "date"), 86_400_000)
    if rest:
        raise Unfit("a date with a time of day does not fit date")
    return _whole(days, "date", 32)


def _write_time(value: Any, logical: str, limit: int) -> int:
    found = _whole(value, logical, 64)
    if not 0 <= found < limit:
        raise Unfit(f"a number that is no time of a day does not fit {logical}")
    return found


def _write_uuid(value: Any) -> str:
    try:
        if isinstance(value, Binary) and value.subtype == 4:
            return str(UUID(bytes=bytes(value)))
        if value.__class__ is str:
            return str(UUID(value))
    except ValueError:
        pass
    raise _unfit(value, "uuid")


_WRITE: Final[dict[str, Convert]] = {
    "null": _write_null, "boolean": _write_boolean, "float": _write_float, "double": _write_double,
    "int": lambda value: _whole(value, "int", 32), "long": lambda value: _whole(value, "long", 64),
    "string": _write_string, "bytes": _write_bytes, "uuid": _write_uuid, "date": _write_day,
    "timestamp-millis": lambda value: _ms(value, "timestamp-millis"),
    "local-timestamp-millis": lambda value: _ms(value, "local-timestamp-millis"),
    "timestamp-micros": _write_micros, "local-timestamp-micros": _write_micros,
    "time-millis": lambda value: _write_time(value, "time-millis", 86_400_000),
    "time-micros": lambda value: _write_time(value, "time-micros", 86_400_000_000),
}  # fmt: skip
