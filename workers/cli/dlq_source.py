"""Which dead letters a command is about, and reading them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from workers.appfolder import App, KafkaConnection, ProcessorSpec, load_app
from workers.appfolder.app import processor_of
from workers.assembly import client_config
from workers.cli.topics import choose
from workers.emit.letters import Letter, read_letter
from workers.errors import Invalid, Problem
from workers.local.readback import Places, Reader
from workers.ports import SourceRecord

ProcessorName = Annotated[str | None, typer.Argument(help="The processor whose dead letters are meant.")]
Topic = Annotated[str | None, typer.Option("--topic", help="A dead-letter topic, instead of a processor.")]
Chosen = Annotated[
    str | None, typer.Option("--connection", help="With --topic: the Kafka connection, if there are several.")
]
Query = Annotated[
    str | None,
    typer.Option("--where", help="Only letters that match: {'errInfo.class': 'TimedOut'}, or stages."),
]

GROUP: Final = "penstock-dlq"
_OFFSET: Final = re.compile(r"(\d{1,9}):(\d{1,18})")
# What librdkafka holds ahead of us: letters may be 16 MiB each.
FETCH_AHEAD_KILOBYTES: Final = 32_768


class Enough(Exception):
    """Raised by whoever needs no more letters."""


@dataclass(frozen=True, slots=True)
class Target:
    """A dead-letter topic. With `spec` only that processor's letters are meant: others may share the
    topic."""

    app: App
    topic: str
    connection: KafkaConnection
    spec: ProcessorSpec | None

    def reader(self) -> Reader:
        """Of the cluster of the dead letters."""
        return reader_of(self.connection)


def reader_of(connection: KafkaConnection) -> Reader:
    """A client that sees what is committed and joins no group."""
    config: dict[str, Any] = {
        "queued.max.messages.kbytes": FETCH_AHEAD_KILOBYTES,
        **client_config(connection, "consumer"),
        "isolation.level": "read_committed",
    }
    # The connection's may be those of groups; this client has none.
    for name in ("session.timeout.ms", "heartbeat.interval.ms", "group.protocol", "max.poll.interval.ms"):
        config.pop(name, None)
    return Reader(config, GROUP)


def target(folder: Path, processor: str | None, topic: str | None, connection: str | None) -> Target:
    """What the arguments name. Raises Invalid."""
    loaded = load_app(folder, os.environ)
    if (processor is None) == (topic is None):
        found = "neither a processor nor --topic" if processor is None else "a processor and --topic"
        raise Invalid([Problem("penstock dlq", "", found, "one of them")])
    if topic is not None:
        return Target(loaded, topic, choose(loaded, connection), None)
    assert processor is not None
    if connection is not None:
        raise Invalid(
            [Problem("--connection", "", "beside a processor, which names its own", "leave it out")]
        )
    spec = processor_of(loaded, processor)
    return Target(loaded, spec.dead_letters.topic, kafka(loaded, spec.dead_letters.connection), spec)


def kafka(loaded: App, name: str) -> KafkaConnection:
    """A connection that load_app has checked."""
    connection = loaded.connections[name]
    assert isinstance(connection, KafkaConnection)
    return connection


def place_of(text: str | None) -> tuple[int, int] | None:
    """`--offset 0:17` as (partition, offset). Raises Invalid."""
    if text is None:
        return None
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise Invalid([Problem("--offset", "", f"found {text!r}", "partition:offset, such as 0:17")])
    return int(found[1]), int(found[2])


@dataclass(slots=True)
class Letters:
    """The letters of a target up to the ends that its topic had when it was opened. `foreign` counts records
    that are no dead letters, `of_others` those of other processors."""

    target: Target
    reader: Reader
    ends: Places
    starts: Places
    read: int = 0
    foreign: int = 0
    of_others: int = 0

    def each(self, handle: Callable[[Letter], None]) -> None:
        """Hand over one after the other, partition by partition in order. `handle` may raise Enough."""

        def take(message: SourceRecord) -> None:
            letter = read_letter(message)
            self.read += 1
            if letter is None:
                self.foreign += 1
            elif self.target.spec is not None and letter.processor != self.target.spec.name:
                self.of_others += 1
            else:
                handle(letter)

        try:
            self.reader.read(self.starts, self.ends, take)
        except Enough:
            return

    def total(self) -> int:
        """Offsets to go through: records and markers of transactions."""
        return sum(self.ends[place] - self.starts[place] for place in self.ends)

    def remarks(self) -> list[str]:
        """What was passed over, for a person."""
        found = []
        if self.foreign:
            found.append(
                f"note: {self.foreign} records of {self.target.topic} are no dead letters of Penstock"
            )
        if self.of_others:
            found.append(f"note: {self.of_others} dead letters there are of other processors")
        return found


@contextmanager
def opened(target: Target, place: tuple[int, int] | None = None) -> Iterator[Letters]:
    """The letters of a target; with `place` that one alone. A processor without a dead-letter topic has no
    letters. Raises Invalid for a topic or place that is not there, LocalFailure when no broker answers."""
    with target.reader() as reader:
        topics = [target.topic]
        ends = reader.ends(topics)
        if not ends and target.spec is None:
            name = target.connection.name
            raise Invalid(
                [Problem("--topic", "", f"no topic {target.topic} on {name}", "a topic that is there")]
            )
        starts = {where: low for where, low in reader.begins(topics).items() if where in ends}
        if place is not None:
            where = (target.topic, place[0])
            _check_place(place, starts.get(where, 0), ends.get(where, 0))
            starts, ends = {where: place[1]}, {where: place[1] + 1}
        yield Letters(target, reader, ends, starts)


def _check_place(place: tuple[int, int], begin: int, end: int) -> None:
    if not begin <= place[1] < end:
        expected = f"there are {begin} to {end - 1}" if begin < end else "that partition has none"
        raise Invalid([Problem("--offset", "", f"no record at {place[0]}:{place[1]}", expected)])


def progress_bar(*, is_hidden: bool) -> Progress:
    """On stderr, and only where a person sees it."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=is_hidden or not console.is_terminal)
