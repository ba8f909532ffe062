"""`$serializeEJSON $deserializeEJSON`: values as documents of Extended JSON, and back."""

from __future__ import annotations

import json
from typing import Any, Final

from topics.codecs import NotADocument, decode_value, encode_canonical, encode_value
from topics.codecs.errors import CodecError
from workers.errors import Poison
from workers.pipeline.nodes import Call, Emitting, Example, Named, Operator, may_be_missing
from workers.pipeline.values import is_nullish, type_name

# What a text of Extended JSON may take: a document of 16 MiB with each of its values wrapped.
_MAX_BYTES: Final = 16 * 16 * 1024 * 1024


def serialized(value: Any, relaxed: Any) -> Any:
    """The value with types that JSON does not have written as `{$date: ...}`; numbers, too, unless
    `relaxed`."""
    if not is_nullish(relaxed) and relaxed.__class__ is not bool:
        raise Poison(f"$serializeEJSON needs 'relaxed' to be true or false, not {type_name(relaxed)}")
    if is_nullish(value):
        return None
    try:
        return json.loads(encode_value(value) if relaxed is True else encode_canonical(value))
    except CodecError as error:
        raise Poison(f"$serializeEJSON: {error.reason}") from None


def deserialized(value: Any) -> Any:
    """The value with every `{$date: ...}` and the like as what it stands for."""
    if is_nullish(value):
        return None
    try:
        return decode_value(encode_canonical(value), _MAX_BYTES)
    except NotADocument as error:
        raise Poison(f"$deserializeEJSON: {error.reason}") from None
    except CodecError as error:
        raise Poison(f"$deserializeEJSON: {error.reason}") from None


def _tried(function: Any, *values: Any) -> tuple[bool, Any]:
    """(whether it worked, the value or None)."""
    try:
        return True, function(*values)
    except Poison:
        return False, None


def _emit(em: Emitting, call: Call) -> str:
    """`onError` is evaluated only when it is needed."""
    *given, on_error = call.args
    function = em.function(serialized if call.operator.name == "$serializeEJSON" else deserialized)
    values = ", ".join("None" if node is None else em.value(node) for node in given)
    if on_error is None:
        return em.assign(f"{function}({values})")
    worked, found = em.name(), em.name()
    em.line(f"{worked}, {found} = {em.function(_tried)}({function}, {values})")
    with em.block(f"if not {worked}:"):
        em.line(f"{found} = {em.value(on_error)}")
    return found


def _may_be_missing(call: Call) -> bool:
    on_error = call.args[-1]
    return on_error is not None and may_be_missing(on_error)


OPERATORS: Final[dict[str, Operator]] = {
    "$serializeEJSON": Operator(
        name="$serializeEJSON",
        signature=Named(("input",), ("relaxed", "onError")),
        meaning="The value as Extended JSON, canonical or relaxed: `{$date: ...}` and so on.",
        example=Example(
            {"$serializeEJSON": {"input": {"$toDate": "$a"}, "relaxed": True}},
            {"$date": "2024-01-31T00:00:00Z"},
            {"a": "2024-01-31"},
        ),
        emit=_emit,
        gives_missing=_may_be_missing,
    ),
    "$deserializeEJSON": Operator(
        name="$deserializeEJSON",
        signature=Named(("input",), ("onError",)),
        meaning="What Extended JSON stands for: the other way round.",
        example=Example(
            {"$deserializeEJSON": {"input": {"$toObject": "$a"}}},
            {"n": 42},
            {"a": '{"n":{"$numberInt":"42"}}'},
        ),
        emit=_emit,
        gives_missing=_may_be_missing,
    ),
}
