"""A run of stages as one generated function over a batch of documents."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any

from workers.model import DROPPED
from workers.pipeline.emit import Emitter
from workers.pipeline.program import Segment
from workers.pipeline.spec import StageSpec
from workers.pipeline.unit import StageMark, Unit, depth_of


class SegmentEmitter(Emitter):
    """What stages write to. Kept: `spec.StageEmitting`."""

    def drop(self) -> None:
        """The document goes no further."""
        self.line("append(DROPPED)")
        self.line("continue")

    def inline(self, source: str, names: Mapping[str, Any]) -> str:
        """Source over `doc` and `names` as text that can stand here: its names become this function's."""
        local = {name: self.bound(value, name) for name, value in names.items()}
        local["doc"] = self.doc
        parts: list[str] = []
        end = 0
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NAME and token.string in local:
                parts += [source[end : token.start[1]], local[token.string]]
                end = token.end[1]
        return "".join(parts) + source[end:]


def compile_segment(stages: Sequence[StageSpec], dead_letter_name: str = "") -> Segment:
    """One function out of stages. `dead_letter_name` names all of them in refusals: the stages of a payload
    are no operators of the pipeline."""
    emitter, unit = SegmentEmitter(), Unit()
    emitter.names |= {"DROPPED": DROPPED, "refused": unit.refused, "repeat": repeat}
    marks: list[StageMark] = []
    emitter.doc = "d0"
    with emitter.block("def segment(docs, metas):"):
        emitter.line("out = []")
        emitter.line("append = out.append")
        emitter.line("meta = None")
        loop = len(emitter.lines)
        with emitter.block("for d0 in docs:"), emitter.block("try:"):
            for number, stage in enumerate(stages):
                emitter.path, emitter.stage = stage.path, number
                marks.append(StageMark(dead_letter_name or stage.operator, stage.path, emitter.doc))
                with depth_of(lambda: emitter.path):
                    stage.emit(emitter)
            emitter.line(f"append({emitter.doc})")
        if emitter.uses_meta:
            emitter.lines[loop] = "    for d0, meta in zip(docs, repeat(None) if metas is None else metas):"
        emitter.lines += [
            "        except Exception as error:",
            "            append(refused(error, locals()))",
            "    return out",
        ]
        emitter.marks += [("", 0)] * 3
    run = unit.make(emitter, "segment", marks)
    names = tuple(stage.operator for stage in stages)
    return Segment(run, names, unit.source, is_identity=not stages, needs_meta=emitter.uses_meta)


def one_document(segment: Segment) -> Callable[[Any, Any], Any]:
    """A segment's function for a single document and its meta (None where it needs none)."""
    run = segment.run
    if segment.needs_meta:
        return lambda doc, meta: run((doc,), (meta,))[0]
    return lambda doc, meta: run((doc,), None)[0]
