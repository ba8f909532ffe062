"""A run of stages as one generated function over a batch of documents."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import repeat
from typing import Any, Final

from workers.errors import Invalid, Problem
from workers.model import DROPPED, Many, Meta
from workers.pipeline.emit import Emitter
from workers.pipeline.program import Segment
from workers.pipeline.spec import StageSpec
from workers.pipeline.unit import StageMark, Unit, depth_of

# A loop and a `try` each; CPython refuses more than 20 within each other, and 2 stand around all stages.
MAX_SPREADS: Final = 8


class SegmentEmitter(Emitter):
    """What stages write to. Kept: `spec.StageEmitting`."""

    def __init__(self, *, sets_meta: bool) -> None:
        """`sets_meta`: a stage changes the document's meta, so each of several documents needs its own."""
        super().__init__()
        self.names |= {"DROPPED": DROPPED, "Many": Many, "fork": fork, "repeat": repeat}
        self._spreads: list[tuple[AbstractContextManager[None], AbstractContextManager[None]]] = []
        self._sets_meta = sets_meta

    def drop(self) -> None:
        """The document goes no further."""
        if not self._spreads:
            self.line("append(DROPPED)")
        self.line("continue")

    def each(self, documents: str, *, changed: frozenset[str]) -> None:
        """What follows happens to each of several documents of our own, which differ from the one at hand in
        the `changed` fields alone."""
        if len(self._spreads) == MAX_SPREADS:
            expected = f"at most {MAX_SPREADS} between two calls"
            raise Invalid([Problem("", self.path, "an $unwind too many", expected)])
        before, doc = self.doc, self.new_doc()
        if not self._spreads:
            self.line("many, forks = [], []")
        kept = self.name()
        if self._sets_meta:
            self.line(f"{kept} = {self.meta()}")
        blocks = self.block(f"for {doc} in {documents}:"), self.block("try:")
        for block in blocks:
            block.__enter__()
        if self._sets_meta:
            self.line(f"meta = fork({kept})")
        self._spreads.append(blocks)
        self.document_is(doc, ours=True, unchanged_from=before, changed=changed)

    def finish(self) -> None:
        """After the last stage: the document, or what became of several, is the outcome."""
        if not self._spreads:
            self.line(f"append({self.doc})")
            return
        self._add(self.doc)
        for loop, attempt in reversed(self._spreads):
            attempt.__exit__(None, None, None)
            with self.block("except Exception as error:"):
                self._add("refused(error, locals())")
            loop.__exit__(None, None, None)
        self.line(f"append(Many(many, {'forks' if self._sets_meta else 'None'}) if many else DROPPED)")

    def _add(self, outcome: str) -> None:
        self.line(f"many.append({outcome})")
        if self._sets_meta:
            self.line("forks.append(meta)")

    @property
    def keeps_documents(self) -> bool:
        """Whether what comes out of the stages so far is the document that went in, or nothing."""
        return self.doc == "d0" and not self._spreads

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


def fork(meta: Meta | None) -> Meta | None:
    """A meta of its own for one of several documents that came of one."""
    if meta is None:
        return None
    return Meta(meta.source, dict(meta.user), dict(meta.external_function), dict(meta.https))


def compile_segment(stages: Sequence[StageSpec], dead_letter_name: str = "") -> Segment:
    """One function out of stages. `dead_letter_name` names all of them in refusals: the stages of a payload
    are no operators of the pipeline."""
    emitter, unit = SegmentEmitter(sets_meta=any(stage.sets_meta for stage in stages)), Unit()
    emitter.names["refused"] = unit.refused
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
            emitter.finish()
        if emitter.uses_meta:
            emitter.lines[loop] = "    for d0, meta in zip(docs, repeat(None) if metas is None else metas):"
        emitter.lines += [
            "        except Exception as error:",
            "            append(refused(error, locals()))",
            "    return out",
        ]
        emitter.marks += [("", 0)] * 3
    emitter.begin(1)
    run = unit.make(emitter, "segment", marks)
    names = tuple(stage.operator for stage in stages)
    return Segment(
        run,
        names,
        unit.source,
        is_identity=not stages,
        needs_meta=emitter.uses_meta,
        keeps_documents=emitter.keeps_documents,
    )


def one_document(segment: Segment) -> Callable[[Any, Any], Any]:
    """A segment's function for a single document and its meta (None where it needs none)."""
    run = segment.run
    if segment.needs_meta:
        return lambda doc, meta: run((doc,), (meta,))[0]
    return lambda doc, meta: run((doc,), None)[0]
