"""Lines of generated Python become a function, and its errors become places in the pipeline."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from workers.errors import Invalid, Poison, Problem, ProcessorFailed
from workers.model import PROCESSOR_SCOPE, Refused
from workers.pipeline.emit import Emitter

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class StageMark:
    """Which local holds the document as it entered a stage, and how the dead letter names the stage."""

    operator: str
    path: str
    doc: str


@contextmanager
def depth_of(place: Callable[[], str]) -> Iterator[None]:
    """Raise Invalid for an expression that is too deep to be written as source; `place` says which."""
    try:
        yield
    except RecursionError:
        problem = Problem("", place(), "an expression nested too deep", "fewer operators within each other")
        raise Invalid([problem]) from None


class Unit:
    """One compiled piece of source. `source` is what ran, for `penstock explain` and error places."""

    def __init__(self, stages: Sequence[StageMark] = ()) -> None:
        self.file = f"<pipeline {next(_numbers)}>"
        self.source = ""
        self._stages = list(stages)
        self._marks: list[tuple[str, int]] = []

    def make(self, emitter: Emitter, function: str, stages: Sequence[StageMark] = ()) -> Callable[..., Any]:
        """Compile the emitter's lines and return the function of that name."""
        self._stages = list(stages)
        lines: list[str] = []
        for chunk, marks in (*emitter.done, (emitter.lines, emitter.marks)):
            lines += chunk
            self._marks += marks
        self.source = "\n".join(lines) + "\n"
        space: dict[str, Any] = dict(emitter.names)
        exec(compile(self.source, self.file, "exec"), space)  # noqa: S102 - made of checked nodes, names as literals
        made: Callable[..., Any] = space[function]
        return made

    def poison(self, error: Exception) -> Poison:
        """The error as `Poison` that says where in the pipeline it happened."""
        path, _ = self._place(error.__traceback__)
        if isinstance(error, Poison):
            return Poison(error.reason, at=error.at or path)
        return Poison(_reason(error), at=path)

    def refused(self, error: Exception, frame: Mapping[str, Any]) -> Refused:
        """The error as the outcome of one document; `frame` holds the segment's locals."""
        path, number = self._place(error.__traceback__)
        stage = self._stages[number]
        place = (isinstance(error, Poison) and error.at) or path or stage.path
        doc = frame.get(stage.doc)
        if isinstance(error, ProcessorFailed):
            return Refused(str(error), stage.operator, place, doc, "ProcessorFailed", PROCESSOR_SCOPE)
        reason = error.reason if isinstance(error, Poison) else _reason(error)
        return Refused(reason, stage.operator, place, doc)

    def _place(self, trace: TracebackType | None) -> tuple[str, int]:
        """The innermost place within this unit, and the stage that its outermost frame was in."""
        path, stage, is_first = "", 0, True
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.file:
                path, number = self._marks[trace.tb_lineno - 1]
                stage, is_first = (number, False) if is_first else (stage, False)
            trace = trace.tb_next
        return path, stage


def _reason(error: Exception) -> str:
    """Errors that are no `Poison`: too deep to walk, or a fault of ours that must not stop a partition."""
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, RecursionError):
        return "a value is nested too deep"
    return f"an internal error ({type(error).__name__}): please report it with this document"
