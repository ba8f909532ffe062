"""What each stage of a pipeline costs, for `penstock eval --profile`.

Stages are compiled and measured one by one, each over the documents that the stage before let through. In one
segment they cost less, since it reads a field once for all of them: the last row says how much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from time import process_time
from typing import Any, Final

from topics.codecs import NotEncodable, encode
from workers.appfolder.supply import SYSTEM
from workers.cli.report import table
from workers.cli.run_pipeline import Answers, Runner
from workers.model import Document, Many, Meta
from workers.pipeline import compile_stages
from workers.pipeline.program import Program

# Documents that are measured: enough for a mean, and a tenth of a second a stage.
MAX_DOCUMENTS: Final = 10_000
# Each stage is run over them until this much CPU is spent, at most so many times; the best time counts.
STAGE_SECONDS: Final = 0.3
MAX_ROUNDS: Final = 20

_EDGES: Final = ("$source", "$emit")


@dataclass(frozen=True, slots=True)
class StageTime:
    """One row. `us` is CPU microseconds for each document that came in, None where nothing was measured."""

    place: str
    documents_in: int
    documents_out: int
    us: float | None
    note: str = ""


@dataclass(slots=True)
class _Batch:
    """Documents on their way, and their metas."""

    docs: list[Document]
    metas: list[Meta]


def stage_times(
    stages: Sequence[Mapping[str, Any]], docs: Sequence[Document], answers: Answers
) -> list[StageTime]:
    """A row for each stage but the ends, one for encoding, one for the compiled segments as they are."""
    whole = Runner(compile_stages(stages, supply=SYSTEM), answers)
    first = _Batch(list(docs), [whole.meta(line) for line in range(1, len(docs) + 1)])
    batch, rows = first, []
    for number, stage in enumerate(stages):
        (name,) = stage
        if name in _EDGES:
            continue
        place = f"pipeline[{number}].{name}"
        program = compile_stages([stage], supply=SYSTEM)
        if program.calls:
            passed, us, note = _answered(program, batch, answers), None, "calls are not measured"
        elif program.call_sites:
            passed, us, note = batch, None, "holds nothing back here"
        else:
            passed, us = _through(program, batch)
            note = ""
        rows.append(StageTime(place, len(batch.docs), len(passed.docs), us, note))
        batch = passed
    rows.append(
        StageTime("encode", len(batch.docs), len(batch.docs), _each(_encoded(batch.docs), len(batch.docs)))
    )
    together = _together(whole.program, first)
    return [*rows, StageTime("all stages together", len(docs), len(batch.docs), together)]


def _through(program: Program, batch: _Batch) -> tuple[_Batch, float | None]:
    """What one stage lets through, and microseconds for each document that came in."""
    (segment,) = program.segments
    metas = batch.metas if segment.needs_meta else None
    passed = _Batch([], [])
    if not batch.docs:
        return passed, None
    for outcome, meta in zip(segment.run(batch.docs, metas), _metas(batch, segment.is_whole), strict=False):
        many = outcome.docs if isinstance(outcome, Many) else [outcome]
        for doc in many:
            if doc.__class__ is dict:
                passed.docs.append(doc)
                passed.metas.append(meta)
    return passed, _each(lambda: segment.run(batch.docs, metas), len(batch.docs))


def _metas(batch: _Batch, is_whole: bool) -> Sequence[Meta]:
    """A stage over the whole list keeps no order that metas could follow."""
    return [Meta({})] * len(batch.metas) if is_whole else batch.metas


def _answered(program: Program, batch: _Batch, answers: Answers) -> _Batch:
    (site,) = program.calls
    if site.set_result is None or site.function not in answers:
        return batch
    set_result, answer = site.set_result, answers[site.function]
    return _Batch([set_result(doc, answer) for doc in batch.docs], batch.metas)


def _together(program: Program, batch: _Batch) -> float | None:
    """The first segment as it is compiled; None where a call cuts the pipeline."""
    if len(program.segments) != 1:
        return None
    return _through(program, batch)[1]


def _encoded(docs: Sequence[Document]) -> Callable[[], None]:
    def run() -> None:
        for doc in docs:
            try:
                encode(doc)
            except NotEncodable:
                continue  # refused where it is emitted; here it only costs its time

    return run


def _each(work: Callable[[], Any], count: int) -> float | None:
    """CPU microseconds a document, the best of some rounds."""
    if not count:
        return None
    best = spent = 0.0
    for number in range(MAX_ROUNDS):
        began = process_time()
        work()
        took = process_time() - began
        best = took if not number else min(best, took)
        spent += took
        if spent > STAGE_SECONDS:
            break
    return best / count * 1e6


def as_table(rows: Sequence[StageTime]) -> list[str]:
    """The rows for a person."""
    shown = [
        (row.place, row.documents_in, row.documents_out, "-" if row.us is None else f"{row.us:.2f}", row.note)
        for row in rows
    ]
    return table(("stage", "in", "out", "us a document", ""), shown)


def as_data(rows: Sequence[StageTime]) -> list[dict[str, Any]]:
    """The rows for a program."""
    return [asdict(row) for row in rows]
