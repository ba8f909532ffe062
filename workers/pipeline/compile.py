"""A pipeline as written becomes a program, or is refused whole with every problem in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from workers.errors import Invalid, Problem
from workers.model import Document, Meta
from workers.pipeline import catalogue
from workers.pipeline.call_fields import DEFAULT_PARALLELISM
from workers.pipeline.check import Checker
from workers.pipeline.emission import compile_sink
from workers.pipeline.emit import Emitter
from workers.pipeline.eval_stages import EVAL_STAGES
from workers.pipeline.evaluator import evaluator
from workers.pipeline.expressions.meta import META
from workers.pipeline.expressions.supplied import UNSUPPLIED, Supply
from workers.pipeline.nodes import Call, Const, Node, children
from workers.pipeline.parse import Parser
from workers.pipeline.paths import split, with_value
from workers.pipeline.program import CallSite, Program, Reading, Segment, ThrottleSpec
from workers.pipeline.reading import compile_reading
from workers.pipeline.requesting import compile_request
from workers.pipeline.segment import compile_segment, one_document
from workers.pipeline.spec import CallSpec, EmitSpec, StageSpec
from workers.pipeline.stages.emit import parse_emit
from workers.pipeline.stages.external_function import parse_external_function
from workers.pipeline.stages.https import parse_https
from workers.pipeline.stages.source import ReadSpec, parse_source
from workers.pipeline.stages.throttle import parse_throttle
from workers.pipeline.unit import StageMark, Unit, depth_of
from workers.pipeline.values import sort_key
from workers.pipeline.whole import compile_listed

MAX_STAGES: Final = 1_000

Evaluate = Callable[[Document], Any]
"""A compiled expression: the value, MISSING included. Raises Poison."""


@dataclass(slots=True)
class _Parts:
    """A pipeline, taken apart: stages of each segment, what stands between them, and both ends."""

    source: ReadSpec | None = None
    segments: list[list[StageSpec]] = field(default_factory=lambda: [[]])
    sites: list[CallSpec | ThrottleSpec] = field(default_factory=list)
    sink: EmitSpec | None = None


def compile_processor(
    pipeline: Sequence[Mapping[str, Any]], file: str = "", supply: Supply = UNSUPPLIED
) -> Program:
    """The program of a processor: $source first, and a sink or a call last.

    `supply` is where $currentDate, $createUUID and $rand take their values from; without one they fail.
    Raises Invalid with every problem; `file` is put into each.
    """
    return _compile(pipeline, file, supply, is_processor=True)


def compile_stages(
    pipeline: Sequence[Mapping[str, Any]], file: str = "", supply: Supply = UNSUPPLIED
) -> Program:
    """The program of stages on their own, for `penstock eval` and tests. $source and $emit may be left out.

    Raises Invalid with every problem; `file` is put into each.
    """
    return _compile(pipeline, file, supply, is_processor=False)


def compile_expression(spec: Any, path: str = "", supply: Supply = UNSUPPLIED) -> Evaluate:
    """A function of a document. `path` is the expression's place, for errors.

    Raises Invalid with every problem; the function raises Poison for a data error.
    """
    parser = Parser(catalogue.operators(supply), catalogue.EXPRESSIONS_NOT_YET)
    node = parser.expression(spec, path or "expression")
    if parser.problems:
        raise Invalid(parser.problems)
    evaluate = evaluator(node)
    return lambda doc: evaluate(doc, None)


def _within_query(spec: Any, path: str, supply: Supply) -> Evaluate:
    """What stands under $expr within $or and $nor: a function of a document alone, which has no meta."""
    parser = Parser(catalogue.operators(supply), catalogue.EXPRESSIONS_NOT_YET)
    waiting: list[Node] = [parser.expression(spec, path)]
    while waiting:
        node = waiting.pop()
        waiting += children(node)
        if isinstance(node, Call) and node.operator is META:
            parser.wrong(node.path, "$meta within $or or $nor", "$expr at the top of the query, or in $and")
    if parser.problems:
        raise Invalid(parser.problems)
    return compile_expression(spec, path, supply)


def _compile(pipeline: Any, file: str, supply: Supply, *, is_processor: bool) -> Program:
    checker = Checker(
        catalogue.operators(supply),
        catalogue.EXPRESSIONS_NOT_YET,
        catalogue.STAGES if is_processor else {**catalogue.STAGES, **EVAL_STAGES},
        catalogue.STAGES_NOT_YET,
        partial(_within_query, supply=supply),
    )
    entries = checker.entries(pipeline, "pipeline")
    if len(entries) > MAX_STAGES:
        raise Invalid([Problem(file, "pipeline", f"{len(entries)} stages", f"at most {MAX_STAGES}")])
    parts = _Parts()
    for number, (name, spec, path) in enumerate(entries):
        _stage(checker, parts, name, spec, path, number == len(entries) - 1)
    if is_processor:
        _check_ends(checker, [name for name, _, _ in entries])
    checker.raise_problems(file)
    try:
        compile_stages_of = compile_segment if is_processor else compile_listed
        segments = tuple(compile_stages_of(stages) for stages in parts.segments)
        sites = tuple(
            replace(_call_site(site), sets_meta=_is_read(site, entries))
            if isinstance(site, CallSpec)
            else site
            for site in parts.sites
        )
        sink, sink_needs_meta = compile_sink(parts.sink) if parts.sink else (None, False)
        needs_meta = sink_needs_meta or bool(sites) or any(segment.needs_meta for segment in segments)
        reading = _reading(parts.source, needs_meta)
    except Invalid as error:
        raise Invalid(replace(problem, file=file) for problem in error.problems) from None
    if sink_needs_meta:
        segments = (*segments[:-1], replace(segments[-1], needs_meta=True))
    source = parts.source.source if parts.source else None
    if source is not None and source.ts_field is not None:
        # The document has a field more than the record: its bytes cannot be passed on.
        segments = (replace(segments[0], is_identity=False, keeps_documents=False), *segments[1:])
    if source is None or source.schema_registry is None:
        sites = _sending_source(sites, segments)
    return Program(source, segments, sites, sink, tuple(_warnings(parts)), reading)


def _reading(spec: ReadSpec | None, needs_meta: bool) -> Reading | None:
    if spec is None:
        return None
    time_field = None if spec.time_field is None else evaluator(spec.time_field)
    return compile_reading(spec, time_field, needs_meta=needs_meta)


def _stage(checker: Checker, parts: _Parts, name: str, spec: Any, path: str, is_last: bool) -> None:
    """Check one stage and put it where it belongs."""
    if name == "$source":
        source = parse_source(checker, spec, path)
        if path != "pipeline[0].$source":
            checker.wrong(path, "$source after another stage", "$source first, and once")
        parts.source = source
    elif name == "$emit":
        parts.sink = parse_emit(checker, spec, path)
        if not is_last:
            checker.wrong(path, "$emit before another stage", "$emit last, and once")
    elif name == "$externalFunction":
        _cut(parts, parse_external_function(checker, spec, path))
    elif name == "$https":
        _cut(parts, parse_https(checker, spec, path, is_last=is_last))
    elif name == "$throttle":
        _cut(parts, parse_throttle(checker, spec, path))
    else:
        stage = checker.stage(name, spec, path)
        if stage is not None:
            parts.segments[-1].append(stage)


def _cut(parts: _Parts, site: CallSpec | ThrottleSpec | None) -> None:
    if site is not None:
        parts.sites.append(site)
        parts.segments.append([])


def _check_ends(checker: Checker, names: Sequence[str]) -> None:
    if not names:
        checker.wrong("pipeline", "no stages", "at least $source and $emit")
        return
    if names[0] != "$source":
        checker.wrong("pipeline[0]", f"{names[0]} as the first stage", "$source")
    # What is not in Penstock yet has been refused by its own name already.
    if (
        names[-1] not in ("$emit", "$externalFunction", "$https")
        and names[-1] not in catalogue.STAGES_NOT_YET
    ):
        place = f"pipeline[{len(names) - 1}]"
        checker.wrong(place, f"{names[-1]} as the last stage", "$emit, $externalFunction or $https")


def _call_site(spec: CallSpec) -> CallSite:
    payload = None
    if spec.payload is not None:
        payload = one_document(compile_segment(spec.payload, spec.operator))
    set_result = None
    if spec.as_path is not None:
        parts = split(spec.as_path)
        set_result = partial(_set_field, parts[0]) if len(parts) == 1 else partial(_set_result, parts)
    return CallSite(
        path=spec.path,
        connection=spec.connection,
        function=spec.function,
        execution=spec.execution,
        on_error=spec.on_error,
        as_path=spec.as_path,
        payload=payload,
        set_result=set_result,
        parallelism=spec.parallelism,
        timeout_seconds=spec.timeout_seconds,
        retry=spec.retry,
        response=spec.response,
        operator=spec.operator,
        partition_by=None if spec.partition_by is None else _partition_key(spec.partition_by, spec),
        batch=spec.batch,
        identity_field=spec.identity_field,
        https=None if spec.https is None else compile_request(spec.https, spec.operator, spec.path),
        hold=spec.hold,
        breaker=spec.breaker,
        rate_per_second=spec.rate_per_second,
    )


def _sending_source(
    sites: tuple[CallSite | ThrottleSpec, ...], segments: Sequence[Segment]
) -> tuple[CallSite | ThrottleSpec, ...]:
    """Calls by the contract kafkaEvent get the record's own bytes while nothing has changed them."""
    found: list[CallSite | ThrottleSpec] = []
    is_source = True
    for site, segment in zip(sites, segments, strict=False):
        is_source = is_source and (segment.is_identity or segment.keeps_documents)
        if isinstance(site, CallSite):
            is_event = site.batch is not None and site.batch.contract == "kafkaEvent"
            is_plain = site.payload is None and site.identity_field is None
            found.append(replace(site, sends_source=is_source and is_event and is_plain))
            is_source = is_source and site.set_result is None
        else:
            found.append(site)
    return tuple(found)


def _is_read(call: CallSpec, entries: Sequence[tuple[str, Any, str]]) -> bool:
    """Whether a stage after the call reads what `$meta` knows of it. A text that only looks so counts, too:
    it costs 2 us a call."""
    mine = f"stream.{call.operator.removeprefix('$')}"
    waiting = [spec for _, spec, path in entries[[path for *_, path in entries].index(call.path) + 1 :]]
    while waiting:
        spec = waiting.pop()
        if isinstance(spec, Mapping):
            place = spec.get("$meta")
            if place.__class__ is str and (place == "stream" or place.startswith(mine)):
                return True
            waiting += spec.values()
        elif isinstance(spec, list | tuple):
            waiting += spec
    return False


def _set_field(name: str, doc: Document, value: Any) -> Document:
    return {**doc, name: value}


def _set_result(parts: tuple[str, ...], doc: Document, value: Any) -> Document:
    changed: Document = with_value(doc, parts, value)
    return changed


def _partition_key(node: Node, spec: CallSpec) -> Callable[[Document, Meta | None], Any]:
    """A hashable key of the value, equal for values that BSON calls equal; Refused where it cannot be had."""
    emitter, unit = Emitter(), Unit()
    emitter.names["refused"] = unit.refused
    with emitter.block("def key(d0, meta):"):
        with emitter.block("try:"):
            with depth_of(lambda: node.path):
                emitter.line(f"return {emitter.function(sort_key)}({emitter.value(node)})")
        with emitter.block("except Exception as error:"):
            emitter.line("return refused(error, locals())")
    emitter.begin(1)
    made: Callable[[Document, Meta | None], Any] = unit.make(
        emitter, "key", [StageMark(spec.operator, f"{spec.path}.partitionBy", "d0")]
    )
    return made


def _warnings(parts: _Parts) -> list[str]:
    """What is allowed and probably not meant."""
    found = [*(parts.source.warnings if parts.source else ()), *(parts.sink.warnings if parts.sink else ())]
    if parts.sink is not None and parts.sink.key is not None:
        found += _without_dollar(parts.sink.key, parts.sink.key.path)
    for number, call in enumerate(parts.sites):
        if not isinstance(call, CallSpec):
            continue
        found += [*call.warnings, *_without_dollar(call.partition_by, f"{call.path}.partitionBy")]
        if not call.parallelism_given and call.execution == "sync":
            usual = f"parallelism is {DEFAULT_PARALLELISM} (Atlas: 1)"
            found.append(f"{call.path}: {usual}; write `parallelism: 1` for one call at a time")
        is_last = number == len(parts.sites) - 1 and not parts.segments[-1] and parts.sink is None
        if call.execution == "sync" and call.as_path is None and not is_last:
            kept = "without `as` the function's answer is not kept"
            found.append(f"{call.path}: {kept}; set `as`, or use `execution: async`")
    return found


def _without_dollar(node: Node | None, place: str) -> list[str]:
    """A text where each document is meant to give its own value: `customer` for `$customer`."""
    if not isinstance(node, Const) or node.value.__class__ is not str or not node.value:
        return []
    return [
        f"{place}: the text {node.value[:40]!r} for every document; a field is written ${node.value[:40]}"
    ]
