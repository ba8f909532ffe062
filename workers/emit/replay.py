"""What `penstock dlq replay` writes for a dead letter. Pure.

A letter is known by the record that it is about and by how often that was replayed before, not by its own
place: after a crash the same failure may have been dead-lettered twice, and a record of which several
documents failed has several letters, but each record is to go through once. The record's time tells it from
one at the same place of a topic that was deleted and made anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Final

from topics.codecs import encode
from workers.emit.dead_letter import Origin
from workers.emit.letters import Letter
from workers.emit.replayed import replay_headers
from workers.errors import Fatal
from workers.model import Headers
from workers.ports import SourceRecord

# About 100 bytes each (measured with 2,000,000): 500 MB.
MAX_REPLAYED: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to produce. `timestamp_ms` 0: now; `partition` None: as its key says."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    partition: int | None = None

    @property
    def size_bytes(self) -> int:
        """About what it takes on the wire."""
        headers = sum(len(name) + len(value or b"") for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


@dataclass(slots=True)
class Ledger:
    """What was replayed before: the keys of the `.replayed` topic, as digests of 16 bytes."""

    most: int = MAX_REPLAYED
    _seen: set[bytes] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, key: bytes) -> None:
        """One that was replayed. Raises Fatal past `most`: what is not remembered would be replayed twice."""
        digest = _digest(key)
        if len(self._seen) >= self.most and digest not in self._seen:
            raise Fatal(
                f"{self.most:,} dead letters were replayed, as many as this command remembers; let "
                "options.dlq.topic name a new topic, whose replays are counted from 0"
            )
        self._seen.add(digest)

    def take_back(self, key: bytes) -> None:
        """One that may be replayed again."""
        self._seen.discard(_digest(key))

    def admits(self, letter: Letter) -> bool:
        """Whether this letter is to be replayed. True once for each key. Raises as `add` does."""
        before = len(self._seen)
        self.add(ledger_key(letter))
        return len(self._seen) > before


def _digest(key: bytes) -> bytes:
    return blake2b(key, digest_size=16).digest()


def ledger_key(letter: Letter) -> bytes:
    """`processor/topic/partition/offset@ts#replays`: dead-letter topics may be shared by processors."""
    origin = letter.original
    return f"{letter.processor}/{record_id(origin)}@{origin.timestamp_ms}#{origin.replays}".encode()


def ledger_entry(letter: Letter, ledger_topic: str, to: str, now_iso: str) -> Outgoing:
    """That the letter was replayed: when, from where, to which topic."""
    entry = {
        "replayedAt": now_iso,
        "letter": {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset},
        "to": to,
    }
    return Outgoing(ledger_topic, ledger_key(letter), encode(entry), [], 0)


def record_id(origin: Origin) -> str:
    """As calls carry it: `topic/partition/offset`."""
    return f"{origin.topic}/{origin.partition}/{origin.offset}"


def to_replay_topic(original: Origin, topic: str, partitions: int) -> Outgoing:
    """The original for its processor alone, in the partition that it came from."""
    headers = replay_headers(original.headers, record_id(original), original.replays + 1)
    partition = original.partition % partitions
    return _outgoing(replace(original, headers=headers), topic, partition)


def to_source(original: Origin) -> Outgoing:
    """The original once more for everybody, as a new record of its own topic and partition."""
    return _outgoing(original, original.topic, original.partition)


def restored(letter: Letter, found: SourceRecord) -> Origin | None:
    """The original of a truncated letter, as the source still has it; None when what is there is another
    record."""
    origin = letter.original
    if (found.topic(), found.partition(), found.offset()) != (origin.topic, origin.partition, origin.offset):
        return None
    if found.timestamp()[1] != origin.timestamp_ms:
        return None
    return replace(origin, key=found.key(), value=found.value(), headers=found.headers())


def _outgoing(original: Origin, topic: str, partition: int) -> Outgoing:
    moment = max(0, original.timestamp_ms)
    return Outgoing(topic, original.key, original.value, list(original.headers or ()), moment, partition)
