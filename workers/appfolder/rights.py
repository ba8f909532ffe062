"""What an app folder's processors, and the commands beside them, do at one Kafka cluster. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from topics.replay import replay_topic, replayed_topic
from workers.appfolder.app import App, ProcessorSpec

Act = Literal["read", "write", "join", "transact", "create", "make", "describe", "look at brokers"]


@dataclass(frozen=True, slots=True)
class Need:
    """One act that `who` does to `name`: a topic, a group (`join`) or a transactional id (`transact`).
    `make` is to create, and to change what is there.

    An empty name is one that documents choose. `is_prefix`: names that begin so.
    """

    who: str
    act: Act
    name: str
    why: str
    is_prefix: bool = False


def needs(app: App, connection: str, release: str, group_of: Callable[[str], str]) -> Iterator[Need]:
    """Everything that is done through the Kafka connection of this name. `group_of` names the group of a
    processor whose `$source` names none."""
    for spec in app.processors:
        yield from _of_processor(spec, connection, release, group_of)
    yield from _of_topics(app, connection)
    for spec in app.processors:
        yield from _of_dead_letters(spec, connection)


def _of_processor(
    spec: ProcessorSpec, connection: str, release: str, group_of: Callable[[str], str]
) -> Iterator[Need]:
    source, sink, who = spec.program.source, spec.program.sink, f"processor {spec.name}"
    if source is not None and source.connection == connection:
        for topic in source.topics:
            yield Need(who, "read", topic, "$source")
        yield Need(who, "read", replay_topic(spec.name), "replayed dead letters, where there are any")
        yield Need(who, "join", source.group_id or group_of(spec.name), "its group and its commits")
        if spec.options.delivery == "exactly-once":
            yield Need(who, "transact", f"{release}-", "delivery: exactly-once", is_prefix=True)
    if sink is not None and sink.connection == connection:
        why = "$emit" if sink.topic is not None else "documents name in $emit"
        yield Need(who, "write", sink.topic or "", why)
    if spec.dead_letters.connection == connection:
        yield Need(who, "write", spec.dead_letters.topic, "dead letters")


def _of_topics(app: App, connection: str) -> Iterator[Need]:
    """As `penstock topics` plans: the contracts, and the topics of replays where dead letters have one."""
    specs = [
        spec
        for spec in app.processors
        if spec.program.source is not None and spec.program.source.connection == connection
    ]
    if not app.contracts:
        return
    made, seen = dict.fromkeys(sorted(app.contracts)), dict.fromkeys(sorted(app.contracts))
    for contract in app.contracts.values():
        seen |= dict.fromkeys(contract.dead_letters_of)
    for spec in specs:
        if spec.dead_letters.topic in app.contracts and spec.program.source is not None:
            made |= dict.fromkeys((replay_topic(spec.name), replayed_topic(spec.dead_letters.topic)))
            seen |= dict.fromkeys(spec.program.source.topics)
    for who in ("topics plan", "topics apply"):
        yield Need(who, "look at brokers", "", "their defaults")
        for topic in made | seen:
            yield Need(who, "describe", topic, "its partitions and configuration")
    for topic in made:
        yield Need("topics apply", "make", topic, "as its contract says")


def _of_dead_letters(spec: ProcessorSpec, connection: str) -> Iterator[Need]:
    source, letters = spec.program.source, spec.dead_letters
    for who in ("dlq list, show", f"dlq replay {spec.name}"):
        if letters.connection == connection:
            yield Need(who, "read", letters.topic, "the dead letters")
    if source is None or source.connection != connection:
        return
    who = f"dlq replay {spec.name}"
    queue, ledger = replay_topic(spec.name), replayed_topic(letters.topic)
    for topic in source.topics:
        yield Need(who, "read", topic, "originals too large for a letter")
        yield Need(who, "describe", topic, "its partitions")
    for topic in (queue, ledger):
        yield Need(who, "create", topic, "where it is missing")
        yield Need(who, "describe", topic, "its partitions")
        yield Need(who, "write", topic, "records" if topic == queue else "what was replayed")
    yield Need(who, "read", ledger, "what was replayed")
    yield Need(who, "look at brokers", "", "their defaults")
    yield Need(who, "transact", f"penstock-replay-{spec.name}", "both in one transaction")
