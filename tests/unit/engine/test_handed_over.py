"""A real processor between records that are handed over and results that are handed back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes.invoker import FakeInvoker
from tests.fakes.kafka import FakeProducer
from tests.fakes.lambda_behaviour import Behaviour
from tests.fakes.waiting import until
from tests.unit.engine.rig import DEAD, FIRST, SETTINGS, calling_program, site
from workers.adapters.error_file import shipped_errors
from workers.adapters.handed_results import HandedResult, HandedResults
from workers.adapters.handed_source import HandedRecord, HandedSource
from workers.counting import Metrics
from workers.engine.processor import Parts, Processor
from workers.model import Headers


@dataclass
class Program:
    """Who reads, and who takes results. A record's handle is its offset."""

    invoker: FakeInvoker = field(default_factory=FakeInvoker)
    producer: FakeProducer = field(default_factory=lambda: FakeProducer(100))
    results: HandedResults = field(default_factory=HandedResults)
    acked: list[int] = field(default_factory=list)
    forgotten: list[int] = field(default_factory=list)
    crashes: list[BaseException] = field(default_factory=list)
    source: HandedSource = field(init=False)
    processor: Processor = field(init=False)

    def __post_init__(self) -> None:
        self.source = HandedSource(1_000, 1_000_000, self.acked.append, self.forgotten.append)
        self.processor = Processor(
            calling_program(site()),
            replace(SETTINGS, revoke_drain_seconds=0.05),
            Parts(
                self.results, self.producer, (self.invoker,), Metrics(with_process=False), shipped_errors()
            ),
            self.crashes.append,
        )
        self.source.feed(self.processor)

    def hand(self, *offsets: int, generation: int = 1, value: bytes | None = None) -> None:
        for at in offsets:
            headers: Headers = [("h", b"1")]
            content = (b"k", value or json.dumps({"id": at}).encode(), headers)
            self.source.take(HandedRecord(FIRST, at, content, 7, generation, at))

    async def next(self) -> HandedResult:
        return await asyncio.wait_for(self.results.next(), 10)

    async def take(self, count: int) -> list[Any]:
        """The ids of the next results, each done with before the next is asked for."""
        found = []
        for _ in range(count):
            result = await self.next()
            found.append(result.document["id"])
            result.settle()
        return found


@asynccontextmanager
async def running() -> AsyncIterator[Program]:
    made = Program()
    made.processor.start(made.source)
    try:
        yield made
        assert not made.crashes
    finally:
        made.invoker.advance(1e6)
        await made.processor.stop()


async def test_a_record_is_acknowledged_once_its_result_was_done_with() -> None:
    """Not when it was handed out: whoever took it may fail with it."""
    async with running() as program:
        program.hand(0, 1)
        first = await program.next()
        assert first.document == {"id": 0, "answer": {"id": 0}}
        await asyncio.sleep(0.02)  # twenty commits: none may name it
        assert program.acked == []
        first.settle()
        await until(lambda: program.acked == [0])
        assert await program.take(1) == [1]
        await until(lambda: program.acked == [0, 1])


async def test_results_come_in_source_order_whatever_answers_first() -> None:
    """Records behind an open call wait for it, and are acknowledged behind it."""
    async with running() as program:
        program.invoker.hold()
        program.invoker.program("f", Behaviour(latency_ms=1_000))
        program.hand(0)
        await until(lambda: program.invoker.open_calls() == 1)
        program.invoker.program("f", Behaviour())
        program.hand(1, 2)
        await until(lambda: program.invoker.open_calls() == 3)
        program.invoker.advance(0.5)
        await until(lambda: program.invoker.open_calls() == 1)
        assert program.results.outstanding() == 0
        program.invoker.advance(0.6)
        assert await program.take(3) == [0, 1, 2]
        await until(lambda: program.acked == [0, 1, 2])


async def test_dead_letters_take_their_place_in_the_order_of_acknowledging() -> None:
    """With the original's bytes and headers; the record counts as done once the broker has the letter."""
    async with running() as program:
        program.hand(0)
        program.hand(1, value=b"no json")
        program.hand(2)
        assert await program.take(2) == [0, 2]
        await until(lambda: program.producer.poll() >= 0 and program.acked == [0, 1, 2])
        (letter,) = [record for record in program.producer.written if record.topic() == DEAD]
        assert (letter.key(), letter.value()) == (b"k", b"no json")
        assert [name for name, _ in letter.headers() or []] == ["h", "penstock-dead-letter"]


async def test_what_was_open_when_partitions_moved_is_made_again_and_only_then_handed_out() -> None:
    """A call that outlives the drain is abandoned: its answer reaches nobody, and its record comes again."""
    async with running() as program:
        program.invoker.hold()
        program.hand(0)
        await until(lambda: program.invoker.open_calls() == 1)
        await program.source.leave()
        assert (program.acked, program.forgotten) == ([], [0])
        program.invoker.advance(1)
        program.hand(0, generation=2)
        await until(lambda: program.invoker.open_calls() == 1)
        program.invoker.advance(1)
        result = await program.next()
        assert result.record.generation == 2
        result.settle()
        await until(lambda: program.acked == [0])


async def test_what_ends_within_the_drain_is_acknowledged() -> None:
    """Whoever takes results goes on taking them meanwhile."""
    async with running() as program:
        program.invoker.hold()
        program.hand(0, 1)
        await until(lambda: program.invoker.open_calls() == 2)
        leaving = asyncio.create_task(program.source.leave())
        program.invoker.advance(1)
        assert await program.take(2) == [0, 1]
        await leaving
        assert (program.acked, program.forgotten) == ([0, 1], [])
