"""Slices of records through decode and segments, and what comes of each to its end. Synchronous.

Two ways. Without a call site and with a plain sink a slice is produced as a whole (`plain.py`), which is what
a hand-written loop costs. Every other pipeline gives each record a slot, and its results leave in the
partition's order.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from time import perf_counter
from typing import Any, Final, Protocol

from topics.codecs import is_relaxed
from topics.codecs import json as codec
from topics.codecs.errors import CodecError, NotADocument
from workers.emit.topics import DistinctTopics
from workers.engine.letters import (
    internal,
    no_topic,
    not_encodable,
    poison,
    result_too_large,
    tombstone,
    too_many_topics,
)
from workers.engine.meta import RecordMeta
from workers.engine.output import Sending
from workers.engine.partition import PartitionRun, Slot
from workers.engine.plain import Ends, Slice
from workers.engine.registered import Registered
from workers.logs import log_event
from workers.model import DROPPED, Document, Emission, Many, Meta, Refused
from workers.pipeline.program import Program, Segment
from workers.ports import Produced, SourceRecord
from workers.progress.frontier import Span

log = logging.getLogger(__name__)

# Documents decoded before they are produced. 500 at once are 1 MB of Python objects that have left the
# processor's caches by the time they are encoded; 50 stay there.
CHUNK_RECORDS: Final = 50

CallSites = Callable[[int, Slot, int, Document, Meta | None], None]
"""Takes a document that needs a call: (call site, slot, place among the slot's documents, document, meta)."""


class Returned(Protocol):
    """A document that comes back from a call site."""

    slot: Slot
    place: int
    meta: Meta | None


class Executor:
    """One processor's program, applied to slices."""

    def __init__(
        self,
        program: Program,
        ends: Ends,
        max_record_bytes: int,
        topics: DistinctTopics,
        call: CallSites,
        registered: Registered,
    ) -> None:
        """`topics`: those that `$emit` has named by expression."""
        self._program = program
        self._topics = topics
        self._ends = ends
        self._max_record_bytes = max_record_bytes
        self._call = call
        self._needs_meta = any(segment.needs_meta for segment in program.segments) or bool(program.call_sites)
        self._reading = program.reading
        self._registered = registered
        self._decode = codec.decode_many if registered.reader is None else registered.reader.decode_many
        self._needs_meta = self._needs_meta or self._reading is not None or registered.reads_keys
        # Whoever only filters writes what was read: bytes that need no second spelling.
        self._keeps_documents = program.segments[0].keeps_documents and registered.reader is None
        sink = program.sink
        # A topic that is not there holds its processor until somebody makes it; one that a document named
        # would let that document hold all others.
        self._names_topics = sink is not None and sink.topic is None
        # A transaction names single offsets, which a slice that settles as a whole has not.
        is_plain = not program.call_sites and sink is not None and sink.is_plain and ends.outcomes is None
        self._plain_sink = sink if is_plain else None

    def run(self, partition: PartitionRun, records: list[SourceRecord], span: Span) -> None:
        """Take the records of a span as far as they go without waiting."""
        if self._plain_sink is not None:
            self._run_plain(Slice(partition, records, span, self._plain_sink, self._ends), records)
            return
        metas: list[Meta] | None = [RecordMeta(record) for record in records] if self._needs_meta else None
        outcomes = self._outcomes([record.value() for record in records], metas)
        for index, (record, outcome) in enumerate(zip(records, outcomes, strict=True)):
            slot = Slot(partition, record, span, index)
            partition.take_up(slot)
            self._follow(slot, 0, 0, outcome, metas[index] if metas else None)
        self.release(partition)

    def _run_plain(self, slice_: Slice, records: list[SourceRecord]) -> None:
        for first in range(0, len(records), CHUNK_RECORDS):
            chunk = records[first : first + CHUNK_RECORDS]
            metas: list[Meta] | None = [RecordMeta(record) for record in chunk] if self._needs_meta else None
            values = [record.value() for record in chunk]
            outcomes = self._outcomes(values, metas)
            if self._keeps_documents:
                outcomes = [
                    value
                    if value is not None and outcome.__class__ is dict and is_relaxed(value)
                    else outcome
                    for value, outcome in zip(values, outcomes, strict=True)
                ]
            slice_.produce(outcomes, first)

    def _outcomes(self, values: list[bytes | None], metas: list[Meta] | None) -> Sequence[Any]:
        docs = self._decode(values, self._max_record_bytes)
        if self._registered.reads_keys:
            docs = self._registered.read_keys(docs, metas)
        return self._first_segment(docs if self._reading is None else self._read(docs, metas), metas)

    def _read(self, docs: list[Any], metas: list[Meta] | None) -> list[Any]:
        """What `$source` makes of documents and tombstones; the meta that is read later gets its key and
        time."""
        read = self._reading
        assert read is not None
        assert metas is not None, "a reading needs the meta of every record"
        return [
            (read(doc, meta) or doc) if doc is None or doc.__class__ is dict else doc
            for doc, meta in zip(docs, metas, strict=True)
        ]

    def next_segment(
        self, slot: Slot, place: int, segment_index: int, doc: Document, meta: Meta | None
    ) -> None:
        """A document comes back from call site `segment_index - 1`. The caller releases the partition after
        it."""
        segment = self._program.segments[segment_index]
        outcome = self._through(segment, [doc], None if meta is None else [meta])[0]
        self._follow(slot, place, segment_index, outcome, meta)

    def next_segment_many(
        self, jobs: Sequence[Returned], segment_index: int, docs: Sequence[Document]
    ) -> None:
        """The documents of a batch come back, each with its job. The caller releases their partitions."""
        segment = self._program.segments[segment_index]
        metas = [job.meta for job in jobs if job.meta is not None] if segment.needs_meta else None
        outcomes = self._through(segment, docs, metas)
        follow = self._follow
        for job, outcome in zip(jobs, outcomes, strict=True):
            follow(job.slot, job.place, segment_index, outcome, job.meta)

    def _first_segment(self, docs: list[Any], metas: list[Meta] | None) -> Sequence[Any]:
        segment = self._program.segments[0]
        good = [doc for doc in docs if doc.__class__ is dict]
        if len(good) == len(docs):
            return self._through(segment, good, metas)
        good_metas = None
        if metas is not None:
            good_metas = [meta for meta, doc in zip(metas, docs, strict=True) if doc.__class__ is dict]
        passed = iter(self._through(segment, good, good_metas))
        return [next(passed) if doc.__class__ is dict else doc for doc in docs]

    def _through(
        self, segment: Segment, docs: Sequence[Document], metas: Sequence[Meta] | None
    ) -> Sequence[Any]:
        if segment.is_identity:
            return docs
        began = perf_counter()
        given = metas if segment.needs_meta else None
        try:
            outcomes: Sequence[Any] = segment.run(docs, given)
        except Exception as error:
            # A segment answers for its documents' errors itself, so this is a bug; it must cost the one
            # document that met it, not the worker.
            log_event(
                log, logging.ERROR, "segment_failed", stages=", ".join(segment.stages), reason=repr(error)
            )
            outcomes = [self._alone(segment, doc, given, at) for at, doc in enumerate(docs)]
        self._ends.tally.segment_seconds += perf_counter() - began
        return outcomes

    def _alone(self, segment: Segment, doc: Document, metas: Sequence[Meta] | None, at: int) -> Any:
        try:
            return segment.run([doc], None if metas is None else [metas[at]])[0]
        except Exception as error:
            return internal(error, segment.stages[0] if segment.stages else "", "", doc)

    def _follow(self, slot: Slot, place: int, segment_index: int, outcome: Any, meta: Meta | None) -> None:
        """What segment `segment_index` made of one document of a slot: on to the next call site, or to its
        end."""
        if outcome.__class__ is dict:
            if segment_index < len(self._program.call_sites):
                self._call(segment_index, slot, place, outcome, meta)
            else:
                self._emit(slot, place, outcome, meta)
        elif outcome is DROPPED:
            self.done(slot, place, "dropped")
        elif isinstance(outcome, Refused):
            self.done(slot, place, outcome)
        elif isinstance(outcome, Many):
            self._spread(slot, place, segment_index, outcome, meta)
        elif isinstance(outcome, NotADocument):
            self.done(slot, place, poison(outcome))
        else:
            assert outcome is None, f"a segment answered {type(outcome).__name__}"
            self._tombstone(slot, place)

    def _spread(self, slot: Slot, place: int, segment_index: int, many: Many, meta: Meta | None) -> None:
        first = slot.spread(place, len(many.docs))
        metas = many.metas or repeat(meta)
        for offset, (doc, own) in enumerate(zip(many.docs, metas, strict=False)):
            self._follow(slot, first + offset, segment_index, doc, own)
        self.done(slot, place, "dropped")

    def _tombstone(self, slot: Slot, place: int) -> None:
        sink, record, rule = self._program.sink, slot.record, self._ends.tombstones
        if rule == "dlq":
            self.done(slot, place, tombstone("the value is null (a tombstone)"))
        elif rule == "drop" or sink is None:
            self.done(slot, place, "dropped")
        elif sink.topic is None:
            why = "the value is null (a tombstone), and $emit's topic is an expression that needs a document"
            self.done(slot, place, tombstone(why, sink.path))
        else:
            self.done(slot, place, (sink.topic, None, record.key(), record.headers(), record.timestamp()[1]))

    def _emit(self, slot: Slot, place: int, doc: Document, meta: Meta | None) -> None:
        sink, record = self._program.sink, slot.record
        if sink is None:
            self.done(slot, place, "emitted")
            return
        try:
            item: Produced
            if sink.is_plain:
                assert sink.topic is not None
                item = (sink.topic, codec.encode(doc), record.key(), record.headers(), record.timestamp()[1])
            else:
                emission = sink.emission(doc, meta, record.key(), record.headers())
                if isinstance(emission, Refused):
                    self.done(slot, place, emission)
                    return
                if sink.topic is None and not self._topics.admits(emission.topic):
                    self.done(slot, place, too_many_topics(self._topics.limit, sink.path, doc))
                    return
                made = self._produced(slot, place, emission, doc, meta)
                if not isinstance(made, tuple):
                    if made is not None:
                        self.done(slot, place, made)
                    return
                item = made
        except CodecError as error:
            self.done(slot, place, not_encodable(error, doc, sink.path))
            return
        except Exception as error:
            self.done(slot, place, internal(error, sink.operator, sink.path, doc))
            return
        self.done(slot, place, item)

    def _produced(
        self, slot: Slot, place: int, emission: Emission, doc: Document, meta: Meta | None
    ) -> Produced | Refused | None:
        """None: it comes again when its schema has an id."""
        moment = slot.record.timestamp()[1]
        if not self._registered.writes:
            return (emission.topic, emission.value, emission.key, emission.headers, moment)
        again = partial(self._emit, slot, place, doc, meta)
        made = self._registered.produced(emission, moment, slot.partition, again)
        if isinstance(made, Refused):
            made.doc = doc
        return made

    def done(self, slot: Slot, place: int, end: Refused | tuple[Any, ...] | str) -> None:
        """One document of a slot has reached its end: a record to produce, a refusal, or the name of an
        outcome without output (`dropped`, `ignored`, `emitted` by a call that ends the pipeline). It leaves
        when the slot's turn comes."""
        slot.outputs[place] = end
        slot.open_docs -= 1
        if not slot.open_docs:
            slot.is_ready = True
            slot.partition.order.ready(slot)

    def release(self, partition: PartitionRun) -> None:
        """Send what may leave in a partition's order. Nothing of a partition that is not ours any
        more."""
        if not partition.alive:
            return
        for slot in partition.order.released():
            slot.put_in_order()
            if self._ends.outcomes is not None:
                self._ends.outcomes.add(slot)
                continue
            slot.unacked = sum(end.__class__ is not str for end in slot.outputs)
            if not slot.unacked:
                self._ends.tally.outcomes[outcome_of(slot.outputs)] += 1
                partition.settled(slot)
                continue
            partition.begin()
            acked = partial(self._acked, slot)
            # A copy: a producer that refuses a result at once adds a refusal, which is sent from there.
            for end in tuple(slot.outputs):
                if end.__class__ is tuple:
                    unwritable = partial(self._unwritable, slot, result_too_large)
                    sending = Sending(self._ends.results, partition, end, acked, unwritable)
                    if self._names_topics:
                        sending.on_no_topic = partial(self._unwritable, slot, no_topic)
                    self._ends.results.send(sending)
                elif end.__class__ is not str:
                    self._ends.letters.send(partition, slot.record, end, acked)

    def _acked(self, slot: Slot) -> None:
        slot.unacked -= 1
        if not slot.unacked:
            self._ends.tally.outcomes[outcome_of(slot.outputs)] += 1
            slot.partition.settled(slot)
            slot.partition.end()

    def _unwritable(self, slot: Slot, refuse: Callable[[str, str], Refused], reason: str) -> None:
        refused = refuse(reason, self._program.sink.path if self._program.sink else "")
        slot.outputs.append(refused)
        self._ends.letters.send(slot.partition, slot.record, refused, partial(self._acked, slot))


def outcome_of(ends: Sequence[Any]) -> str:
    """What a record counts as: dead-lettered if any of its documents was, else emitted if any was, else what
    its documents were."""
    if any(isinstance(end, Refused) for end in ends):
        return "dead_lettered"
    if any(end.__class__ is tuple for end in ends):
        return "emitted"
    return "emitted" if "emitted" in ends else "ignored" if "ignored" in ends else "dropped"
