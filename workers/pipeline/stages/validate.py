"""`$validate`: what becomes of documents for which a query does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from workers.errors import Poison, ProcessorFailed
from workers.pipeline.parse import describe
from workers.pipeline.spec import StageEmitting, StageSpec, StageType, Steps

REASON: Final = "Input document found to be invalid in $validate stage"

_ACTIONS: Final = ("discard", "dlq", "error")
_SYNTAX: Final = '{$validate: {validator: <query>, validationAction?: "discard", "dlq" or "error"}}'


def _dead_letter() -> NoReturn:
    raise Poison(REASON)


def _fail() -> NoReturn:
    raise ProcessorFailed(REASON)


def _parse(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    if not isinstance(spec, Mapping):
        steps.wrong(path, describe(spec), _SYNTAX)
        return None
    for name in spec:
        if name not in ("validator", "validationAction"):
            steps.wrong(f"{path}.{name}", f"$validate has no field {name!r}", _SYNTAX)
    action = spec.get("validationAction", "discard")
    if action not in _ACTIONS:
        steps.wrong(f"{path}.validationAction", describe(action), f"one of {', '.join(_ACTIONS)}")
    if "validator" not in spec:
        steps.wrong(path, "the field 'validator' is missing", _SYNTAX)
        return None
    found = steps.match(spec["validator"], f"{path}.validator")
    if found is None:
        return None

    def emit(em: StageEmitting) -> None:
        if action == "discard":
            found.unless(em, em.drop)
        else:
            found.unless(em, lambda: em.call(_dead_letter if action == "dlq" else _fail))

    return StageSpec("$validate", path, emit)


STAGES: Final[dict[str, StageType]] = {
    "$validate": StageType(
        name="$validate",
        parse=_parse,
        meaning="Lets a document pass when the query holds for it; else discards it, dead-letters it (dlq) "
        "or stops the processor (error).",
        syntax=_SYNTAX,
        example={
            "$validate": {
                "validator": {"$jsonSchema": {"required": ["id"], "properties": {"id": {"bsonType": "int"}}}},
                "validationAction": "dlq",
            }
        },
    )
}
