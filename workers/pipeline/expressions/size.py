"""`$bsonSize $binarySize`: how many bytes a value takes."""

from __future__ import annotations

from typing import Any, Final

import bson
from bson.errors import InvalidDocument, InvalidStringData

from workers.errors import Poison
from workers.pipeline.nodes import Example, Operator, Positional
from workers.pipeline.values import INT64_MAX, INT64_MIN, is_nullish, type_name


def _bson_size(document: Any) -> int | None:
    if is_nullish(document):
        return None
    if document.__class__ is not dict:
        raise Poison(f"$bsonSize requires a document, not {type_name(document)}")
    try:
        return len(bson.encode(document))
    except OverflowError:
        return len(bson.encode(_without_huge(document)))
    except (InvalidDocument, InvalidStringData, UnicodeEncodeError):
        raise Poison(
            "$bsonSize: the document holds text that BSON cannot: a zero in a name, a lone surrogate"
        ) from None


def _without_huge(value: Any) -> Any:
    """Whole numbers beyond 64 bits, which JSON can hold, count as doubles."""
    if value.__class__ is dict:
        return {name: _without_huge(item) for name, item in value.items()}
    if value.__class__ is list:
        return [_without_huge(item) for item in value]
    return 0.0 if value.__class__ is int and not INT64_MIN <= value <= INT64_MAX else value


def _binary_size(value: Any) -> int | None:
    if is_nullish(value):
        return None
    if value.__class__ is str:
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, bytes):
        return len(value)
    raise Poison(f"$binarySize requires a string or binData, not {type_name(value)}")


OPERATORS: Final[dict[str, Operator]] = {
    "$bsonSize": Operator(
        name="$bsonSize",
        signature=Positional(1, 1),
        meaning="The bytes that a document takes as BSON.",
        example=Example({"$bsonSize": "$$ROOT"}, 12, {"a": 1}),
        function=_bson_size,
    ),
    "$binarySize": Operator(
        name="$binarySize",
        signature=Positional(1, 1),
        meaning="The bytes of binary data, or of a text in UTF-8.",
        example=Example({"$binarySize": "$a"}, 5, {"a": "caf\u00e9"}),
        function=_binary_size,
    ),
}
