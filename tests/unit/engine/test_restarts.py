"""Processors that failed start again until what they failed of is mended, or time is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.fakes.kafka_source import FakeSource, FakeSourceSettings
from tests.fakes.lambda_behaviour import Behaviour
from tests.fakes.transactions import FakeTransactions
from tests.unit.engine.rig import (
    FIRST,
    SECOND,
    SETTINGS,
    TOPIC,
    TRANSACTIONS,
    Rig,
    build,
    calling_program,
    site,
)
from workers.adapters.error_file import shipped_errors
from workers.engine import restarts
from workers.engine.intake import Intake
from workers.engine.processor import Parts, Processor
from workers.engine.restarts import RestartWindow
from workers.engine.worker import Worker
from workers.errors import ProcessorFailed
from workers.pipeline.program import CallSite, HoldSpec, Program
from workers.ports import InvokeAnswer, InvokeRequest

REVOKED = "connection aws: cannot assume role r"


class TestTheWindow:
    """By a hand clock."""

    def test_the_waits_double_up_to_a_minute_and_end_with_the_window(self) -> None:
        """Eleven failures at one place, each at once after its start: the last start is at the end of the
        five minutes, and the failure after it is for good."""
        window, now, waits = RestartWindow(300.0), 1_000.0, []
        while (wait := window.failed(FIRST, 50, now, 0.999_999)) is not None:
            waits.append(round(wait))
            now += wait
        assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 57]
        assert round(now) == 1_300

    @pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 0.5), (0.5, 0.75)])
    def test_half_of_a_wait_is_jitter(self, jitter: float, seconds: float) -> None:
        """Processors that failed of one cause do not start again in step."""
        assert RestartWindow(300.0).failed(FIRST, 50, 0.0, jitter) == seconds

    def test_a_place_that_was_passed_is_forgotten(self) -> None:
        """The same partition further on, long after: a window and waits of its own."""
        window = RestartWindow(300.0)
        for _ in range(4):
            window.failed(FIRST, 50, 0.0, 0.0)
        assert window.failed(FIRST, 51, 10_000.0, 0.0) == 0.5

    def test_a_partition_that_goes_on_gives_another_no_time(self) -> None:
        """One moves from failure to failure, the other stands: it ends with the window of the one that
        stands."""
        window = RestartWindow(300.0)
        window.failed(FIRST, 50, 0.0, 0.0)
        assert [window.failed(SECOND, offset, offset * 1.0, 0.0) for offset in range(1, 299)] == [0.5] * 298
        assert window.failed(FIRST, 50, 300.0, 0.0) is None

    def test_without_a_window_the_first_failure_is_the_last(self) -> None:
        """`restartWindow: 0`."""
        assert RestartWindow(0.0).failed(FIRST, 50, 0.0, 0.0) is None

    def test_a_long_window_never_overflows(self) -> None:
        """A day of starts each minute."""
        window = RestartWindow(86_400.0)
        assert [window.failed(FIRST, 50, float(n), 0.0) for n in range(2_000)][-1] == 30.0


@dataclass
class Reborn:
    """A rig's processor in a worker that starts it again. The rig always holds the present one."""

    rig: Rig
    program: Program
    changes: dict[str, Any]
    neighbour: Rig | None = None
    frames: list[Any] = field(default_factory=list)
    starts: int = 0

    def __post_init__(self) -> None:
        rigs = [self.rig, *([self.neighbour] if self.neighbour else [])]
        self.worker = Worker(
            [rig.processor for rig in rigs], {f"kafka-{n}": rig.producer for n, rig in enumerate(rigs)},
            [rig.invoker for rig in rigs], self.rig.metrics, self.frames.append, self.again,
        )  # fmt: skip
        for rig in rigs:
            rig.processor.start(rig.source)

    def again(self, name: str) -> Processor:
        rig = self.rig
        assert name == rig.processor.settings.name
        assert rig.source.stopped, "the one before left its group first"
        self.starts += 1
        if rig.transactions is not None:
            rig.transactions = FakeTransactions(rig.cluster)
        parts = Parts(
            rig.producer, rig.producer, (rig.invoker,), rig.metrics, shipped_errors(), rig.transactions,
            callees=rig.callees,
        )  # fmt: skip
        rig.processor = Processor(self.program, replace(SETTINGS, **self.changes), parts, rig.crashes.append)
        intake = Intake(asyncio.get_running_loop(), rig.processor, SETTINGS.revoke_drain_seconds)
        reading = FakeSourceSettings("group", (TOPIC,), is_transactional=rig.transactions is not None)
        rig.source = FakeSource(reading, intake, rig.cluster)
        rig.processor.start(rig.source)
        return rig.processor

    def status(self, place: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = self.worker.status()["processors"][place]
        return found


@asynccontextmanager
async def reborn(
    *, neighbour: Rig | None = None, exactly_once: bool = False, call: CallSite | None = None, **changes: Any
) -> AsyncIterator[Reborn]:
    program = calling_program(call or site(on_error="fail"))
    if exactly_once:
        changes["transactions"] = TRANSACTIONS
    rig = build(program, settings=changes, exactly_once=exactly_once)
    made = Reborn(rig, program, changes, neighbour)
    running = asyncio.create_task(made.worker.run())
    try:
        yield made
    finally:
        rig.invoker.advance(1e6)
        made.worker.stop()
        ends = asyncio.get_running_loop().time() + 10
        while not running.done() and asyncio.get_running_loop().time() < ends:
            for one in (rig, *([neighbour] if neighbour else [])):
                one.turn()
            await asyncio.sleep(0)
        await running


@pytest.fixture
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "RESTART_FIRST_SECONDS", 0.001)
    monkeypatch.setattr(restarts, "RESTART_CAP_SECONDS", 0.01)


class Role:
    """A role that may be revoked: calls with it fail the processor then."""

    def __init__(self, rig: Rig) -> None:
        self.is_revoked = True
        rig.invoker.script("f", self.answer)

    def answer(self, request: InvokeRequest) -> bytes | InvokeAnswer | Exception:
        return ProcessorFailed(REVOKED) if self.is_revoked else request.body


@pytest.mark.usefixtures("_quick")
@pytest.mark.parametrize("exactly_once", [False, True])
async def test_a_processor_goes_on_once_its_role_is_back(exactly_once: bool) -> None:
    """It starts again and again; with the role back every record is a result once, in order, and none is
    dead-lettered. The counts go on over all starts."""
    async with reborn(exactly_once=exactly_once) as made:
        role = Role(made.rig)
        made.rig.give(*({"id": n} for n in range(5)))
        await made.rig.until(lambda: made.starts >= 3, "three starts")
        assert made.rig.committed() == 0
        role.is_revoked = False
        await made.rig.all_committed(5)
        assert made.rig.ids() == [0, 1, 2, 3, 4]
        assert made.rig.letters() == []
        status = made.status()
        assert (status["state"], status["error"], status["trouble"]) == ("STARTED", "", "")
        assert status["consumed"] > 5
        assert status["emitted"] == 5
        assert made.rig.settled(), "no start kept a permit"
    restarted = made.rig.metrics.registry.get_sample_value(
        "penstock_processor_restarts_total", {"processor": "orders"}
    )
    assert restarted == made.starts


async def test_while_it_waits_it_is_no_reason_to_be_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """STARTED and not ready, with what it waits for as its trouble; its neighbour goes on and keeps the
    worker ready."""
    monkeypatch.setattr(restarts, "RESTART_FIRST_SECONDS", 60.0)
    monkeypatch.setattr(restarts, "RESTART_CAP_SECONDS", 60.0)
    neighbour = build(calling_program(site()), settings={"name": "other"})
    async with reborn(neighbour=neighbour) as made:
        Role(made.rig)
        made.rig.give({"id": 1})
        await made.rig.until(lambda: made.rig.source.stopped, "it failed")
        neighbour.give({"id": 2})
        await neighbour.all_committed(1)
        waiting, other = made.status(0), made.status(1)
        assert (waiting["state"], waiting["ready"], waiting["error"]) == ("STARTED", False, "")
        assert waiting["trouble"] == f"starts again after: pipeline[2].$externalFunction: {REVOKED}"
        assert (other["state"], other["ready"]) == ("STARTED", True)
        assert made.worker.status()["ready"]
        state = {"processor": "orders", "state": "FAILED"}
        assert made.rig.metrics.registry.get_sample_value("penstock_processor_state", state) == 0
    assert made.frames[-1]["processors"][0]["state"] == "FAILED"


@pytest.mark.usefixtures("_quick")
async def test_it_is_failed_for_good_after_the_window(caplog: pytest.LogCaptureFixture) -> None:
    """Not mended within the window: FAILED with the reason, one error in the log, no start after it, the
    neighbour undisturbed and nothing committed past the document."""
    neighbour = build(calling_program(site()), settings={"name": "other"})
    async with reborn(neighbour=neighbour, restart_window_seconds=0.1) as made:
        Role(made.rig)
        made.rig.give({"id": 1})
        await made.rig.until(lambda: made.status()["state"] == "FAILED", "FAILED")
        starts = made.starts
        assert starts >= 1
        neighbour.give({"id": 2})
        await neighbour.all_committed(1)
        assert made.starts == starts
        assert made.status()["error"].endswith(REVOKED)
        assert made.rig.committed() == 0
        assert made.worker.status()["ready"]
    assert [record.message for record in caplog.records].count("processor_failed") == 1


@pytest.mark.usefixtures("_quick")
async def test_what_no_start_would_mend_is_failed_at_once() -> None:
    """Lost records, and a document that `$validate` lets stop the processor."""
    async with reborn() as made:
        made.rig.source.events.failed("3 records are gone")
        await made.rig.until(lambda: made.rig.source.stopped)
        assert made.status()["state"] == "FAILED"
        assert made.starts == 0
    async with reborn() as made:
        made.rig.give({"id": 1, "do": "fail"})
        await made.rig.until(lambda: made.rig.source.stopped)
        assert (made.status()["state"], made.starts) == ("FAILED", 0)


@pytest.mark.usefixtures("_quick")
async def test_a_hold_that_ends_with_fail_was_the_window() -> None:
    """The function was probed for as long as its hold allows: no start would give it more."""
    held = site(hold=HoldSpec(timeout_seconds=0.05, after="fail"))
    async with reborn(call=held) as made:
        made.rig.invoker.program(
            "f", Behaviour(outcome="error", status=404, error_type="ResourceNotFoundException")
        )
        made.rig.give({"id": 1})
        await made.rig.until(lambda: made.rig.source.stopped)
        assert (made.status()["state"], made.starts) == ("FAILED", 0)
        assert made.rig.committed() == 0
        assert made.rig.letters() == []


async def test_a_worker_that_stops_waits_for_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that would start again in a minute does not hold the end back, and is FAILED by then."""
    monkeypatch.setattr(restarts, "RESTART_FIRST_SECONDS", 60.0)
    monkeypatch.setattr(restarts, "RESTART_CAP_SECONDS", 60.0)
    async with reborn() as made:
        Role(made.rig)
        made.rig.give({"id": 1})
        await made.rig.until(lambda: made.status()["trouble"] != "", "it waits")
    assert made.starts == 0
    assert made.frames[-1]["processors"][0]["state"] == "FAILED"


@pytest.mark.usefixtures("_quick")
async def test_a_start_that_meets_a_bug_ends_the_worker() -> None:
    """Nothing is left standing still in silence."""
    rig = build(calling_program(site(on_error="fail")))

    def broken(_name: str) -> Processor:
        raise ZeroDivisionError

    worker = Worker(
        [rig.processor], {"kafka": rig.producer}, [rig.invoker], rig.metrics, lambda _: None, broken
    )
    rig.processor.start(rig.source)
    running = asyncio.create_task(worker.run())
    Role(rig)
    rig.give({"id": 1})
    await rig.until(running.done, "the worker ended")
    with pytest.raises(Exception, match="ZeroDivisionError"):
        await running
