"""`$setStreamMeta`: what goes with a document beside its body, to be read by `{$meta: "stream.<name>"}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from workers.model import Meta
from workers.pipeline.nodes import Node
from workers.pipeline.parse import describe
from workers.pipeline.paths import Parts, collision, fault, split, with_value
from workers.pipeline.spec import StageEmitting, StageSpec, StageType, Steps

_SYNTAX: Final = '{$setStreamMeta: {"stream.<name>": <expression>, ...}}'
_OURS: Final = ("source", "window", "https", "externalFunction")


def set_meta(meta: Meta | None, paths: tuple[Parts, ...], *values: Any) -> None:
    """Set every value; MISSING removes. Without a meta there is nobody to read it."""
    if meta is None:
        return
    for parts, value in zip(paths, values, strict=True):
        meta.user = with_value(meta.user, parts, value)


def _parse(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    if not isinstance(spec, Mapping) or not spec:
        steps.wrong(path, "no document, or an empty one", _SYNTAX)
        return None
    found: list[tuple[Parts, Node]] = []
    for name, value in spec.items():
        place = f"{path}.{name}"
        wrong = _wrong(name)
        if wrong:
            steps.wrong(place, wrong, _SYNTAX)
        else:
            found.append((split(name)[1:], steps.expression(value, place)))
    clash = collision(".".join(parts) for parts, _ in found)
    if clash:
        steps.wrong(path, f"the path {clash[1]!r} collides with {clash[0]!r}", "each path once")
    paths = tuple(parts for parts, _ in found)

    def emit(em: StageEmitting) -> None:
        values = [em.value(node) for _, node in found]
        arguments = ", ".join((em.meta(), ascii(paths), *values))
        em.line(f"{em.function(set_meta)}({arguments})")

    return StageSpec("$setStreamMeta", path, emit, sets_meta=True)


def _wrong(name: Any) -> str | None:
    if not isinstance(name, str):
        return describe(name)
    wrong = fault(name)
    if wrong:
        return wrong
    first, *rest = split(name)
    if first != "stream" or not rest:
        return f"the path {name!r} does not begin with 'stream.'"
    return f"the path {name!r} is set by Penstock itself" if rest[0] in _OURS else None


STAGES: Final[dict[str, StageType]] = {
    "$setStreamMeta": StageType(
        name="$setStreamMeta",
        parse=_parse,
        meaning="Keeps values with the document, outside its body, until it is emitted.",
        syntax=_SYNTAX,
        example={"$setStreamMeta": {"stream.region": {"$toLower": "$country"}}},
    )
}
