"""Fields that `$externalFunction` and `$https` have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from workers.pipeline.check import Checker, Fields
from workers.pipeline.flow_fields import error_types
from workers.pipeline.paths import fault
from workers.pipeline.program import OnUnknown, RetrySpec
from workers.pipeline.spec import StageSpec

PAYLOAD_STAGES: Final = frozenset({"$project", "$addFields", "$replaceRoot", "$set"})

DEFAULT_PARALLELISM: Final = 64
MAX_PARALLELISM: Final = 10_000
MAX_RETRY_SECONDS: Final = 24 * 3600.0

_ON_UNKNOWN: Final[Mapping[str, OnUnknown]] = {"retry": "retry", "onError": "onError"}


def as_field(checker: Checker, fields: Fields) -> str | None:
    """`as`: the path that is set to the answer."""
    path = fields.text("as")
    if path is not None and fault(path):
        checker.wrong(fields.at("as"), fault(path) or "", "a field as a or a.b")
    return path


def payload_field(checker: Checker, fields: Fields) -> tuple[StageSpec, ...] | None:
    """`payload`: the stages that make what is sent; None where the document itself is."""
    if not fields.has("payload"):
        fields.take("payload")
        return None
    return checker.stages(fields.take("payload"), fields.at("payload"), PAYLOAD_STAGES)


def retry_field(checker: Checker, fields: Fields, *, has_types: bool = False) -> RetrySpec:
    """`retry`: the bounds of all attempts together. `has_types`: what is called names its errors."""
    default = RetrySpec()
    inner = fields.inner("retry")
    if inner is None:
        return default
    attempts = inner.whole("maxAttempts", default.max_attempts, 1, 100)
    elapsed = inner.seconds("maxElapsed", default.max_elapsed_seconds, MAX_RETRY_SECONDS)
    first = inner.seconds("base", default.base_seconds, MAX_RETRY_SECONDS)
    most = inner.seconds("cap", max(default.cap_seconds, first), MAX_RETRY_SECONDS)
    on_unknown = inner.choice("onUnknown", _ON_UNKNOWN, default.on_unknown)
    types = error_types(checker, inner) if has_types else frozenset()
    inner.done()
    if most < first:
        checker.wrong(inner.at("cap"), f"{most:g} s, below the base of {first:g} s", "at least the base")
    return RetrySpec(attempts, elapsed, first, most, on_unknown, types)
