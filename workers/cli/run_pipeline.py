"""Runs a program over documents in memory: its segments, and answers in the place of calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal, TypeAlias

import orjson

from topics.codecs import NotADocument, NotEncodable, encode
from workers.model import Document, Dropped, Emission, Many, Meta, Refused
from workers.pipeline.program import CallSite, Program
from workers.pipeline.values import date_from_ms

Answers: TypeAlias = Mapping[str, Any]
"""function name, or the connection of $https -> what it answers to every call"""

Kind = Literal["result", "dropped", "refused"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one line. `text` is the result in relaxed Extended JSON (`null` after a tombstone)."""

    line: int
    kind: Kind
    text: str = ""
    topic: str | None = None
    reason: str = ""
    operator: str = ""
    path: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        if self.kind == "result":
            return {
                "line": self.line,
                "outcome": "result",
                "topic": self.topic,
                "document": orjson.loads(self.text),
            }
        if self.kind == "dropped":
            return {"line": self.line, "outcome": "dropped"}
        return {"line": self.line, "outcome": "refused", "operator": self.operator, "path": self.path,
                "reason": self.reason}  # fmt: skip


@dataclass(slots=True)
class _Flowing:
    """A document on its way, and where it came from."""

    line: int
    doc: Document
    meta: Meta


class Runner:
    """One program. Documents go through in slices, as they do in the engine."""

    def __init__(self, program: Program, answers: Answers) -> None:
        self.program, self.answers = program, answers
        topics = program.source.topics if program.source is not None else ()
        self._topic = topics[0] if topics else "input"
        self.is_whole = any(segment.is_whole for segment in program.segments)
        """Whether `run` must be given every document there is at once."""

    def run(self, lines: Sequence[tuple[int, Document | NotADocument]]) -> Iterator[Outcome]:
        """The outcomes of numbered lines, in their order."""
        found: list[Outcome] = []
        flowing: list[_Flowing] = []
        for line, doc in lines:
            if isinstance(doc, NotADocument):
                found.append(Outcome(line, "refused", reason=doc.reason, operator="$source", path="the line"))
            else:
                meta = self.meta(line)
                refused = self.program.reading and self.program.reading(doc, meta)
                if refused:
                    found.append(_refused(line, refused))
                else:
                    flowing.append(_Flowing(line, doc, meta))
        for number, segment in enumerate(self.program.segments):
            through = self._whole if segment.is_whole else self._segment
            flowing = through(segment.run, flowing, found)
            if number < len(self.program.call_sites):
                site = self.program.call_sites[number]
                if isinstance(site, CallSite):  # a throttle holds nothing back here
                    flowing = self._answered(site, flowing, found)
        found += [self._emitted(one) for one in flowing]
        # A stage as $sort has put them in an order of its own.
        yield from found if self.is_whole else sorted(found, key=lambda outcome: outcome.line)

    def _segment(self, run: Any, flowing: Sequence[_Flowing], found: list[Outcome]) -> list[_Flowing]:
        passed: list[_Flowing] = []
        if not flowing:
            return passed
        results = run([one.doc for one in flowing], [one.meta for one in flowing])
        for one, result in zip(flowing, results, strict=True):
            if isinstance(result, Refused):
                found.append(_refused(one.line, result))
            elif isinstance(result, Dropped):
                found.append(Outcome(one.line, "dropped"))
            elif isinstance(result, Many):
                if not result.docs:
                    found.append(Outcome(one.line, "dropped"))
                for doc, meta in zip(result.docs, result.metas or repeat(one.meta), strict=False):
                    if isinstance(doc, Refused):
                        found.append(_refused(one.line, doc))
                    else:
                        passed.append(_Flowing(one.line, doc, meta))
            else:
                passed.append(_Flowing(one.line, result, one.meta))
        return passed

    def _whole(self, run: Any, flowing: Sequence[_Flowing], found: list[Outcome]) -> list[_Flowing]:
        """What came of all documents together is of line 0; a document that is the same keeps its line."""
        passed: list[_Flowing] = []
        by_document = {id(one.doc): one for one in flowing}
        for result in run([one.doc for one in flowing], [one.meta for one in flowing]):
            if isinstance(result, Refused):
                line = by_document[id(result.doc)].line if id(result.doc) in by_document else 0
                found.append(_refused(line, result))
            else:
                passed.append(by_document.get(id(result)) or _Flowing(0, result, self.meta(0)))
        return passed

    def _answered(self, site: CallSite, flowing: Sequence[_Flowing], found: list[Outcome]) -> list[_Flowing]:
        """Each document with the answer set; the payload is made too, since it can refuse a document."""
        passed: list[_Flowing] = []
        for one in flowing:
            payload = one.doc if site.payload is None else site.payload(one.doc, one.meta)
            line = None if site.https is None else site.https.line(one.doc, one.meta)
            if isinstance(line, Refused):
                found.append(_refused(one.line, line))
            elif isinstance(payload, Refused):
                found.append(_refused(one.line, payload))
            elif site.function not in self.answers:
                reason = f"{site.function} is not called by eval; --answers says what it answers"
                found.append(
                    Outcome(one.line, "refused", reason=reason, operator=site.operator, path=site.path)
                )
            else:
                meta = called(one.meta, site) if site.sets_meta else one.meta
                passed.append(_Flowing(one.line, self._with_answer(site, one.doc), meta))
        return passed

    def _with_answer(self, site: CallSite, doc: Document) -> Document:
        if site.set_result is None or site.execution == "async":
            return doc
        return site.set_result(doc, self.answers[site.function])

    def _emitted(self, one: _Flowing) -> Outcome:
        sink = self.program.sink
        if sink is None or sink.is_plain:
            topic = None if sink is None else sink.topic
            return Outcome(one.line, "result", text=encode(one.doc).decode(), topic=topic)
        try:
            emission = sink.emission(one.doc, one.meta, None, None)
        except NotEncodable as error:
            return Outcome(one.line, "refused", reason=error.reason, operator=sink.operator, path=sink.path)
        if isinstance(emission, Refused):
            return _refused(one.line, emission)
        assert isinstance(emission, Emission)
        if emission.value is None:
            text = "null"
        else:  # what goes into a schema of Avro is shown as JSON
            text = (emission.value if isinstance(emission.value, bytes) else encode(one.doc)).decode()
        return Outcome(one.line, "result", text=text, topic=emission.topic)

    def meta(self, line: int) -> Meta:
        """As the engine makes it for a record: the line is its offset, from 0. It has no time and no key."""
        return Meta({"type": "kafka", "topic": self._topic, "partition": 0, "offset": line - 1,
                     "ts": date_from_ms(0), "key": None, "headers": []})  # fmt: skip


def called(meta: Meta, site: CallSite) -> Meta:
    """As the engine leaves it after a call: here one that took no time, made for the first version."""
    if site.https is not None:
        of_request = {"url": "eval", "method": site.https.method, "httpStatusCode": 200, "responseTimeMs": 0}
        return Meta(meta.source, meta.user, meta.external_function, of_request)
    of_call = {"requestId": "eval", "executedVersion": "$LATEST", "attempts": 1, "durationMs": 0}
    return Meta(meta.source, meta.user, of_call, meta.https)


def _refused(line: int, refused: Refused) -> Outcome:
    return Outcome(line, "refused", reason=refused.reason, operator=refused.operator, path=refused.path)
