"""Whether a JSON Schema is one: by a wrong one every value is refused, with reasons that name no place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# A reason quotes the value that is wrong, which may be long.
MAX_REASON: Final = 200


def keyword_fault(schema: Mapping[str, Any]) -> tuple[str, str] | None:
    """Where a keyword has a value that it cannot have (`properties.id.type`), and why; None: nowhere. By the
    draft that the schema names, else by the latest."""
    # 60 ms to import, for whoever has such a schema alone.
    from jsonschema import Draft202012Validator, SchemaError  # type: ignore[import-untyped] # noqa: PLC0415
    from jsonschema.validators import validator_for  # type: ignore[import-untyped] # noqa: PLC0415

    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        return ".".join(str(part) for part in error.absolute_path), str(error.message)[:MAX_REASON]
    return None
