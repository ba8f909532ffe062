"""Segments with stages over a whole list of documents, for `penstock eval`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from workers.model import Document, Dropped, Many, Meta, Refused
from workers.pipeline.program import Outcome, Segment, SegmentFunction
from workers.pipeline.segment import compile_segment
from workers.pipeline.spec import StageSpec, Whole


def compile_listed(stages: Sequence[StageSpec]) -> Segment:
    """A segment that takes every document there is, where one of its stages does; else a plain one."""
    if all(stage.whole is None for stage in stages):
        return compile_segment(stages)
    parts: list[SegmentFunction | _OfList] = []
    source: list[str] = []
    for is_plain, some in groupby(stages, key=lambda stage: stage.whole is None):
        if is_plain:
            segment = compile_segment(list(some))
            parts.append(segment.run)
            source.append(segment.source_text)
        else:
            for stage in some:
                assert stage.whole is not None
                parts.append(_OfList(stage.whole))
                source.append(f"# {stage.path}\n")
    names = tuple(stage.operator for stage in stages)
    return Segment(_Run(parts), names, "".join(source), is_whole=True)


class _OfList:
    """A stage over a list."""

    def __init__(self, whole: Whole) -> None:
        self.whole = whole


class _Run:
    """One part after the other. Refusals come first, then the documents."""

    def __init__(self, parts: Sequence[SegmentFunction | _OfList]) -> None:
        self._parts = parts

    def __call__(self, docs: Sequence[Document], metas: Sequence[Meta] | None, /) -> list[Outcome]:
        refused: list[Outcome] = []
        left: list[Document] = list(docs)
        for part in self._parts:
            if isinstance(part, _OfList):
                outcomes: Sequence[Any] = part.whole(left)
                metas = None
            else:
                outcomes = part(left, metas)
            left, metas = _passed(outcomes, metas, refused)
        return [*refused, *left]


def _passed(
    outcomes: Sequence[Any], metas: Sequence[Meta] | None, refused: list[Outcome]
) -> tuple[list[Document], list[Meta] | None]:
    """The documents that go on, with their metas; refusals are kept."""
    docs: list[Document] = []
    kept: list[Meta] = []
    for number, outcome in enumerate(outcomes):
        own = None if metas is None else metas[number]
        several = outcome.docs if isinstance(outcome, Many) else [outcome]
        forks = outcome.metas if isinstance(outcome, Many) else None
        for place, one in enumerate(several):
            if isinstance(one, Refused):
                refused.append(one)
            elif not isinstance(one, Dropped):
                docs.append(one)
                meta = own if forks is None else forks[place]
                kept += [] if meta is None else [meta]
    return docs, None if metas is None else kept
