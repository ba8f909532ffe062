"""One chaos run: a broker, a function, workers; kills and restarts; then the account."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.fates import number_of
from tests.chaos.feeder import Feeder
from tests.chaos.function import FUNCTION
from tests.chaos.judge import (
    Account,
    Origin,
    Sample,
    Written,
    account,
    at_risk,
    order_faults,
    repeated_after_commit,
)
from tests.chaos.options import PROCESSOR, ChaosOptions, Topics, processor
from tests.chaos.watch import Asker, Diary, Lives
from tests.kafka_fixture import TEST_SETTINGS
from tests.scenarios.world import Seen, TimedOut, WorkerProcess, World
from workers.local.kafka import KafkaServer

LOOK_SECONDS: Final = 0.5
# What a killed process had handed to its sockets is with the broker by then; its partitions have no owner for
# 6 s.
SETTLE_SECONDS: Final = 0.3
READY_SECONDS: Final = 180.0
# After the last kill: 6 s to 48 s until the partitions have owners, then the backlog.
END_SECONDS: Final = 240.0


@dataclass(slots=True)
class Figures:
    """What a run showed. `bound` is what was written and not committed when something was killed or
    restarted, and what workers gave up unsettled when partitions moved."""

    account: Account = field(default_factory=Account)
    bound: int = 0
    kills: int = 0
    broker_restarts: int = 0
    calls: int = 0
    aborted: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


class ChaosRun:
    """The run of these options in a folder of its own, on a broker that it starts and stops itself."""

    def __init__(self, options: ChaosOptions, folder: Path, say: Callable[[str], None]) -> None:
        self.options = options
        self.figures = Figures()
        self._folder = folder
        self._say = say
        self._random = random.Random(options.seed)
        self._diary = Diary(folder / "diary.jsonl")
        self._lives = Lives()
        self._samples: list[Sample] = []
        self._risks: list[tuple[Sample, frozenset[int]]] = []
        self._running: dict[int, WorkerProcess] = {}
        self._slots: dict[int, int] = {}
        token = uuid.uuid4().hex[:6]
        self._topics = Topics(f"in-{token}", f"out-{token}", f"dead-{token}")

    def run(self) -> Figures:
        """Everything from start to account, on a broker of its own."""
        with KafkaServer(self._folder / "kafka", TEST_SETTINGS) as server:
            world = World(server.address, self._folder, lambda purpose: f"{purpose}-{uuid.uuid4().hex[:6]}")
            try:
                return self.run_in(world, server)
            finally:
                world.stop()

    def run_in(self, world: World, server: KafkaServer | None = None) -> Figures:
        """The same in a world that somebody else stops, without restarts where the broker is not ours.
        `figures.faults` is empty when the run was right."""
        assert server is not None or not self.options.broker_restarts
        try:
            self._run(world, server)
            self._judge(world)
        except (TimedOut, AssertionError) as failure:
            self.figures.faults.append(f"{type(failure).__name__}: {failure}")
            self._diary.note("failed", why=str(failure))
        summary = {"options": asdict(self.options), "figures": asdict(self.figures)}
        (self._folder / "figures.json").write_text(json.dumps(summary, indent=1))
        return self.figures

    def _run(self, world: World, server: KafkaServer | None) -> None:
        options = self.options
        app = self._set_up(world)
        for slot in range(options.workers):
            self._start(world, app, slot)
        self._asker = Asker(world.bootstrap, self._topics, options.partitions)
        feeder = Feeder(
            world.bootstrap, self._topics.source, options.seed, options.records, options.feeding_seconds
        )
        try:
            self._until(
                lambda: all(worker.status(PROCESSOR).get("assigned") for worker in self._running.values()),
                READY_SECONDS,
                "partitions on every worker",
            )
            self._diary.note("feeding")
            feeder.start()
            began = time.monotonic()
            self._wreak(world, server, app, began)
            self._until(lambda: feeder.is_done, END_SECONDS, "every source record written")
            self._until(lambda: self._asker.lag() == 0, END_SECONDS, "lag 0")
            self.figures.seconds = time.monotonic() - began
            self._diary.note("caught_up")
            # The last worker may still be starting: a SIGTERM would end it before it can drain.
            self._until(lambda: all(w.is_ready() for w in self._running.values()), READY_SECONDS, "readiness")
            self._look()
        finally:
            self._asker.close()

    def _set_up(self, world: World) -> Path:
        options, topics = self.options, self._topics
        names = {"source": topics.source, "results": topics.results, "dead": topics.dead}
        world.new_name = lambda purpose: names.get(purpose) or f"{purpose}-{uuid.uuid4().hex[:6]}"
        for purpose in names:
            world.topic(purpose, options.partitions)
        world.drop_admin()
        world.kafka_extra["groupProtocol"] = options.protocol
        world.start_stub_of(["tests.chaos.function", "--seed", str(options.seed)])
        return world.write_app(world.connections(), {PROCESSOR: processor(options, topics)})

    def _start(self, world: World, app: Path, slot: int) -> None:
        """A worker that takes a dead one's slot takes its transactional id, too, and ends its transaction."""
        number = len(world.workers)
        self._slots[number] = slot
        self._running[number] = world.start_worker(app, env={"PENSTOCK_SLOT": f"chaos-{slot}"})
        self._diary.note("worker_started", worker=number, pid=self._running[number].process.pid)

    def _wreak(self, world: World, server: KafkaServer | None, app: Path, began: float) -> None:
        """Kill a worker every so often, and the broker in between."""
        options = self.options
        restarts = {
            round(options.kills * (nth + 1) / (options.broker_restarts + 1))
            for nth in range(options.broker_restarts)
        }
        free_at = began
        for kill in range(1, options.kills + 1):
            self._pass(max(began + kill * options.every_seconds, free_at))
            self._kill(world, app)
            if server is not None and kill in restarts:
                self._pass(time.monotonic() + options.every_seconds / 2)
                self._restart(server)
                free_at = time.monotonic() + options.every_seconds / 2

    def _kill(self, world: World, app: Path) -> None:
        number = self._random.choice(sorted(self._running))
        self._look()
        victim = self._running.pop(number)
        victim.kill()
        self.figures.kills += 1
        self._diary.note("worker_killed", worker=number)
        time.sleep(SETTLE_SECONDS)
        # What no living worker says it owns was the victim's, or nobody's.
        owned = self._lives.partitions
        living = frozenset(p for n in self._running for p in owned.get(n, frozenset()))
        theirs = owned.get(number, frozenset()) | (frozenset(range(self.options.partitions)) - living)
        sample = self._until_sampled()
        self._risks.append((sample, theirs))
        self._samples.append(sample)
        self._start(world, app, self._slots[number])
        self._say(f"  kill {self.figures.kills}: worker {number} with {len(theirs)} partitions")

    def _restart(self, server: KafkaServer) -> None:
        everything = frozenset(range(self.options.partitions))
        before = self._asker.sample()
        is_clean = self.figures.broker_restarts % 2 == 1
        if is_clean:
            server.stop()
        else:
            server.kill()
        down = time.monotonic()
        server.start()
        self.figures.broker_restarts += 1
        after = self._until_sampled()
        if before is not None:
            # The commits of before, the ends of after: more than what a lost partition can repeat.
            sample = Sample(before.committed, before.settled_above, after.result_ends, after.dead_ends)
            self._risks.append((sample, everything))
        kind = "SIGTERM" if is_clean else "SIGKILL"
        self._diary.note("broker_restarted", by=kind, seconds=round(time.monotonic() - down, 2))
        self._say(f"  broker restart {self.figures.broker_restarts} by {kind}")

    def _until_sampled(self) -> Sample:
        deadline = time.monotonic() + READY_SECONDS
        while (sample := self._asker.sample()) is None:
            if time.monotonic() > deadline:
                raise TimedOut(f"the broker did not answer within {READY_SECONDS} s after its restart")
        return sample

    def _until(self, condition: Callable[[], bool], within: float, what: str) -> None:
        deadline, looked = time.monotonic() + within, 0.0
        while not condition():
            now = time.monotonic()
            if now > deadline:
                raise TimedOut(f"not within {within:g} s: {what}; {self._states()}")
            if now - looked >= LOOK_SECONDS:
                self._look()
                looked = now
            time.sleep(0.02)

    def _pass(self, until: float) -> None:
        """Look on until that moment."""
        self._until(lambda: time.monotonic() >= until, until - time.monotonic() + 60, "time to pass")

    def _look(self) -> None:
        """A sample of the broker and of every worker's counts."""
        for number, worker in self._running.items():
            self._lives.look(number, worker)
            assert worker.process.poll() is None, f"worker {number} ended by itself: {worker.log()[-2_000:]}"
        if hasattr(self, "_asker") and (sample := self._asker.sample()) is not None:
            self._samples.append(sample)

    def _states(self) -> str:
        found = [(number, worker.status(PROCESSOR)) for number, worker in self._running.items()]
        return "; ".join(f"worker {number}: {status}" for number, status in found)

    def _judge(self, world: World) -> None:
        options, topics, figures = self.options, self._topics, self.figures
        for number, worker in self._running.items():
            self._lives.look(number, worker)
            worker.terminate()
        codes = [worker.wait() for worker in self._running.values()]
        self._diary.note("workers_ended", codes=codes)
        origins: dict[int, Origin] = {}
        for record in world.read(topics.source):
            number = number_of(record.value)
            assert number not in origins, f"the feeder wrote {number} twice"
            origins[number] = (record.partition, record.offset)
        assert len(origins) == options.records, "the feeder wrote every record"
        results, dead = _written(world.read(topics.results)), _written(world.read(topics.dead))
        self._diary.note("topics_read")
        found = figures.account = account(options.seed, origins, results, dead)
        found.out_of_order = order_faults(options.ordering, origins, results)
        found.repeated_after_commit = repeated_after_commit(self._samples, origins, (results, dead))
        figures.calls = int(world.stub_stats(FUNCTION)["calls"])
        figures.aborted = self._lives.total("penstock_transactions_total", "aborted")
        risks = [at_risk(sample, theirs, origins, (results, dead)) for sample, theirs in self._risks]
        given_up = sum(
            self._lives.total("penstock_records_abandoned_total", why) for why in ("revoked", "lost")
        )
        self._diary.note("bound", at_risk=[len(risk) for risk in risks], given_up=given_up)
        figures.bound = len(set().union(*risks)) + given_up if options.delivery == "at-least-once" else 0
        figures.faults += found.faults(figures.bound)
        if any(codes):
            figures.faults.append(f"exit codes of the workers after SIGTERM: {codes}")


def _written(records: list[Seen]) -> list[Written]:
    return [
        Written(number_of(record.value), record.partition, record.offset, record.key) for record in records
    ]
