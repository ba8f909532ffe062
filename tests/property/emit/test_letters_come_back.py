"""A dead letter is read back to the original, in both formats, and a replay of it is the original again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.property.emit.test_dead_letter_laws import DOCUMENT, HEADER, HEADERS, NOW, ORIGINS, REFUSALS
from workers.emit.dead_letter import DeadLetter, DeadLetterPolicy, Origin, dead_letter, truncated
from workers.emit.letters import Letter, as_document, read_letter
from workers.emit.replay import Ledger, ledger_key, restored, to_replay_topic, to_source
from workers.emit.replayed import as_original, replays_of
from workers.errors import Fatal
from workers.model import Headers, Refused

POLICIES = st.sampled_from([HEADER, DOCUMENT])


@dataclass(frozen=True)
class Stored:
    """A record as a client gives it."""

    where: tuple[str, int, int]
    time_ms: int
    its_key: bytes | None
    its_value: bytes | None
    its_headers: Headers | None

    def topic(self) -> str:
        return self.where[0]

    def partition(self) -> int:
        return self.where[1]

    def offset(self) -> int:
        return self.where[2]

    def key(self) -> bytes | None:
        return self.its_key

    def value(self) -> bytes | None:
        return self.its_value

    def headers(self) -> Headers | None:
        return self.its_headers

    def timestamp(self) -> tuple[int, int]:
        return 1, self.time_ms


def stored(letter: DeadLetter) -> Stored:
    """A dead letter as it is read from its topic: no headers come as None."""
    return Stored(("orders.dlq", 1, 7), 5, letter.key, letter.value, letter.headers or None)


def letter_of(origin: Origin, refused: Refused, policy: DeadLetterPolicy) -> Letter:
    letter = read_letter(stored(dead_letter(origin, refused, policy, NOW)))
    assert letter is not None
    return letter


def normal(origin: Origin) -> Origin:
    """No headers and an empty list of them are the same on the wire."""
    return replace(origin, headers=origin.headers or None)


NULLS = Refused("poison", "$source", "", None)


@given(ORIGINS, REFUSALS, POLICIES, st.integers(0, 3))
@example(Origin("t", 0, 0, 0, None, b"null", None), NULLS, DOCUMENT, 0)
@example(Origin("t", 0, 0, 0, None, None, None), NULLS, DOCUMENT, 0)
def test_the_original_comes_back(
    origin: Origin, refused: Refused, policy: DeadLetterPolicy, replays: int
) -> None:
    """Place, time, key, value, headers (order, duplicates, nulls) and the number of replays."""
    first = replace(origin, replays=replays)
    letter = letter_of(first, refused, policy)
    assert letter.original == normal(first)
    assert letter.format == policy.format
    assert not letter.is_truncated
    assert (letter.processor, letter.error["scope"]) == ("orders", refused.scope)
    assert letter.time is not None
    assert letter.time.isoformat() == "2024-05-01T12:00:00+00:00"


@given(ORIGINS, REFUSALS, POLICIES, POLICIES, REFUSALS)
def test_a_letter_about_a_letter_is_read_as_the_outer_one(
    origin: Origin, inner: Refused, first: DeadLetterPolicy, second: DeadLetterPolicy, outer: Refused
) -> None:
    """A processor that reads a dead-letter topic writes letters whose original is one: either format in
    either."""
    record = stored(dead_letter(origin, inner, replace(first, processor="inner"), NOW))
    around = Origin("orders.dlq", 1, 7, 5, record.key(), record.value(), record.headers())
    letter = letter_of(around, outer, second)
    assert letter.original == normal(around)
    assert (letter.processor, letter.format) == ("orders", second.format)


@given(ORIGINS, REFUSALS, POLICIES, st.integers(1, 40))
def test_a_replayed_record_is_the_original_again(
    origin: Origin, refused: Refused, policy: DeadLetterPolicy, partitions: int
) -> None:
    """What the engine sees of the replay topic has the original's place, key, value, headers and time, and
    one replay more; to the source it goes without a trace."""
    letter = letter_of(origin, refused, policy)
    sent = to_replay_topic(letter.original, "orders.replay", partitions)
    assert sent.partition is not None
    assert 0 <= sent.partition < partitions
    seen = as_original(
        Stored((sent.topic, sent.partition, 0), sent.timestamp_ms, sent.key, sent.value, sent.headers)
    )
    assert (seen.topic(), seen.partition(), seen.offset()) == (origin.topic, origin.partition, origin.offset)
    assert (seen.key(), seen.value()) == (origin.key, origin.value)
    assert seen.headers() == (origin.headers or None)
    assert seen.timestamp()[1] == max(0, origin.timestamp_ms)
    assert replays_of(seen) == 1
    again = to_source(letter.original)
    assert (again.topic, again.partition) == (origin.topic, origin.partition)
    assert (again.key, again.value, again.headers) == (origin.key, origin.value, list(origin.headers or ()))


@given(ORIGINS, REFUSALS, POLICIES)
def test_each_failure_is_admitted_once(origin: Origin, refused: Refused, policy: DeadLetterPolicy) -> None:
    """A second letter about the same failure is the same replay; the failure of a replay, a record of another
    time at the same place and another processor's letter are others."""
    ledger = Ledger()
    letter = letter_of(origin, refused, policy)
    assert ledger.admits(letter)
    assert not ledger.admits(replace(letter_of(origin, refused, DOCUMENT), offset=99))
    others = [
        letter_of(replace(origin, replays=1), refused, policy),
        letter_of(replace(origin, timestamp_ms=origin.timestamp_ms + 1), refused, policy),
        letter_of(replace(origin, offset=(origin.offset + 1) % 2**63), refused, policy),
        letter_of(origin, refused, replace(policy, processor="billing")),
    ]
    assert all(ledger.admits(one) for one in others)
    assert len(ledger) == 5
    assert ledger_key(letter).startswith(b"orders/")


@given(ORIGINS, REFUSALS, POLICIES)
def test_a_full_ledger_says_so(origin: Origin, refused: Refused, policy: DeadLetterPolicy) -> None:
    """What it cannot remember is not replayed; what it knows is passed over still, and what is taken back
    makes room."""
    ledger = Ledger(most=1)
    letter, other = (letter_of(replace(origin, replays=replays), refused, policy) for replays in (0, 1))
    assert ledger.admits(letter)
    assert not ledger.admits(letter)
    with pytest.raises(Fatal, match="1 dead letters were replayed, as many as this command remembers"):
        ledger.admits(other)
    ledger.take_back(ledger_key(letter))
    assert ledger.admits(other)


@given(ORIGINS, REFUSALS, POLICIES)
def test_a_truncated_letter_gets_its_content_from_the_source(
    origin: Origin, refused: Refused, policy: DeadLetterPolicy
) -> None:
    """From the record at its place, and from no other: not from one of another time, made anew there."""
    letter = read_letter(stored(truncated(origin, refused, policy, NOW)))
    assert letter is not None
    assert letter.is_truncated
    where = (origin.topic, origin.partition, origin.offset)
    source = Stored(where, origin.timestamp_ms, origin.key, origin.value, origin.headers or None)
    assert restored(letter, source) == normal(origin)
    assert restored(letter, replace(source, time_ms=origin.timestamp_ms + 1)) is None
    assert restored(letter, replace(source, where=(*where[:2], origin.offset + 1))) is None


@given(st.none() | st.binary(max_size=80) | st.builds(orjson.dumps, st.dictionaries(
    st.sampled_from(["processorName", "_stream_meta", "doc"]), st.none() | st.text(max_size=3), max_size=3,
)), HEADERS)  # fmt: skip
def test_what_is_no_letter_is_none(value: bytes | None, headers: Headers | None) -> None:
    """Whatever stands in a dead-letter topic, nothing is taken for a letter, and nothing raises."""
    ours = ("penstock-dead-letter", value)
    assert read_letter(Stored(("t", 0, 0), 0, None, value, [*(headers or ()), ours])) is None
    assert read_letter(Stored(("t", 0, 0), 0, None, value, headers)) is None


@given(ORIGINS, REFUSALS, POLICIES)
def test_a_query_sees_every_letter(origin: Origin, refused: Refused, policy: DeadLetterPolicy) -> None:
    """All fields are there, whatever the original holds."""
    seen: dict[str, Any] = as_document(letter_of(origin, refused, policy))
    assert {"processorName", "operatorName", "dlqTime", "errInfo", "_stream_meta", "doc"} <= seen.keys()
    assert {"key", "value", "headers", "letter"} <= seen.keys()
    assert seen["letter"] == {"topic": "orders.dlq", "partition": 1, "offset": 7}
    assert (seen["key"] is None) == (origin.key is None)
