"""`$meta`: what is known of a document beside its body."""

from __future__ import annotations

from typing import Any, Final

from workers.model import Meta
from workers.pipeline.nodes import Call, Custom, Emitting, Example, Node, Operator, Parsing, Scope
from workers.pipeline.parse import describe
from workers.pipeline.paths import fault, read
from workers.pipeline.values import MISSING

_SYNTAX: Final = '{$meta: "stream.source.<field>"}'


def stream_meta(meta: Meta | None, parts: tuple[str, ...]) -> Any:
    """The value at a path below `stream`; MISSING where there is none."""
    if meta is None:
        return MISSING
    known: dict[str, Any] = {**meta.user, "source": dict(meta.source)}
    if meta.external_function:
        known["externalFunction"] = meta.external_function
    if meta.https:
        known["https"] = meta.https
    return read(known, parts)


def _parse(parsing: Parsing, spec: Any, path: str, scope: Scope) -> Node:
    if spec.__class__ is not str:
        return parsing.wrong(path, describe(spec), _SYNTAX)
    wrong = fault(spec)
    first, _, rest = spec.partition(".")
    if wrong or first != "stream":
        return parsing.wrong(path, wrong or f"the path {spec!r}", "a path that begins with 'stream'")
    return Call(META, (), path, detail=tuple(rest.split(".")) if rest else ())


def _emit(em: Emitting, call: Call) -> str:
    return em.call(stream_meta, em.meta(), ascii(call.detail))


META: Final = Operator(
    name="$meta",
    signature=Custom(_parse, _SYNTAX),
    meaning=(
        "What is known of a document beside its body: `stream.source.{type, topic, partition, offset, key, "
        "headers, ts}`; after a call `stream.externalFunction.{requestId, executedVersion, attempts, "
        "durationMs}` of the last one; after `$https` `stream.https.{url, method, httpStatusCode, "
        "responseTimeMs}`; what `$setStreamMeta` set."
    ),
    example=Example({"$type": {"$meta": "stream.source.topic"}}, "missing"),
    emit=_emit,
    folds=False,
    gives_missing=True,
)

OPERATORS: Final[dict[str, Operator]] = {"$meta": META}
