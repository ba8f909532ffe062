"""`$hash $hexHash`: a digest of text or binary data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from bson import Binary

from workers.errors import Poison
from workers.pipeline.nodes import Call, Const, Example, Named, Operator
from workers.pipeline.values import is_nullish, type_name
from workers.pipeline.xxh64 import xxh64
from workers.settings import MAX_XXH64_BYTES

_ALGORITHMS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
    "sha256": lambda data: hashlib.sha256(data).digest(),
    "xxh64": lambda data: xxh64(data).to_bytes(8, "big"),
}


def _algorithm(name: Any, operator: str) -> Callable[[bytes], bytes]:
    if name.__class__ is not str or name not in _ALGORITHMS:
        shown = repr(name) if name.__class__ is str else type_name(name)
        raise Poison(f"{operator}: 'algorithm' must be one of {', '.join(_ALGORITHMS)}, not {shown}")
    return _ALGORITHMS[name]


def _digest(value: Any, name: Any, operator: str) -> bytes | None:
    digest = _algorithm(name, operator)
    if is_nullish(value):
        return None
    if value.__class__ is str:
        try:
            data = value.encode()
        except UnicodeEncodeError:
            raise Poison(f"{operator}: the text is no valid UTF-8") from None
    elif isinstance(value, bytes):
        data = value
    else:
        raise Poison(f"{operator} needs 'input' to be a string or binData, not {type_name(value)}")
    if name == "xxh64" and len(data) > MAX_XXH64_BYTES:
        text = f"xxh64 takes at most {MAX_XXH64_BYTES} bytes, not {len(data)}: md5 and sha256 take them all"
        raise Poison(f"{operator}: {text}")
    return digest(data)


def _hash(value: Any, algorithm: Any) -> Any:
    found = _digest(value, algorithm, "$hash")
    return None if found is None else Binary(found, 0)


def _hex_hash(value: Any, algorithm: Any) -> str | None:
    found = _digest(value, algorithm, "$hexHash")
    return None if found is None else found.hex().upper()


def _check(call: Call) -> list[Poison]:
    _, algorithm = call.args
    if isinstance(algorithm, Const):
        try:
            _algorithm(algorithm.value, call.operator.name)
        except Poison as error:
            return [error]
    return []


def _operator(name: str, function: Callable[[Any, Any], Any], meaning: str, example: Example) -> Operator:
    return Operator(
        name=name,
        signature=Named(("input", "algorithm")),
        meaning=f"{meaning} of text or binary data, by md5, sha256 or xxh64 (of 1 MiB at most); "
        "null for null.",
        example=example,
        function=function,
        check=_check,
    )


OPERATORS: Final[dict[str, Operator]] = {
    "$hash": _operator(
        "$hash",
        _hash,
        "The digest, as binary data,",
        Example({"$binarySize": {"$hash": {"input": "$a", "algorithm": "sha256"}}}, 32, {"a": "report.pdf"}),
    ),
    "$hexHash": _operator(
        "$hexHash",
        _hex_hash,
        "The digest, in hexadecimal digits,",
        Example(
            {"$hexHash": {"input": "$a", "algorithm": "md5"}},
            "900150983CD24FB0D6963F7D28E17F72",
            {"a": "abc"},
        ),
    ),
}
