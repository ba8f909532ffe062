"""Faust agents that call functions through `penstock.faust`, as processes of their own on a real broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.fakes.lambda_behaviour import Behaviour, Fate, fate_of
from tests.scenarios.world import Seen, World, until

COUNT: Final = 10_000
PARTITIONS: Final = 4
SEED: Final = 20_261
THROWS: Final = Behaviour(outcome="function_error", error_type="ValueError", message="planned")
PLAN: Final = Behaviour(
    outcome="static", body='{"ok":1}', id_field="id", seed=SEED, fates=(Fate(0.05, THROWS),)
)
PLAN_JSON: Final[dict[str, Any]] = {
    "outcome": "static", "body": '{"ok":1}', "id_field": "id", "seed": SEED, "latency_ms": 5,
    "fates": [[0.05, {"outcome": "function_error", "error_type": "ValueError", "message": "planned"}]],
}  # fmt: skip
# 400 calls a second at 16 at once: what is to come in mid-flow has 20 s for it.
SLOW_JSON: Final[dict[str, Any]] = {**PLAN_JSON, "latency_ms": 40}
# 32 a second at 16 at once: calls are open whenever partitions move, and 10,000 take minutes.
SLOWER_JSON: Final[dict[str, Any]] = {**PLAN_JSON, "latency_ms": 500}


class Agents:
    """Processes of tests/scenarios/faust_agent.py in one consumer group."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.start_stub(f=PLAN_JSON)
        self.source = world.topic("in", PARTITIONS)
        self.results, self.dead = world.topic("out", PARTITIONS), world.topic("dead")
        self.group = world.new_name("agents")
        self.started: list[subprocess.Popen[bytes]] = []
        # Nobody's heart stops beating for a busy machine; a kill is waited for, and has less.
        self.session_seconds = 30.0

    def start(self, raises_at: int | None = None, **call: Any) -> subprocess.Popen[bytes]:
        """Start one more. `call`: fields of the call beside function, `as` and dead letters."""
        number = len(self.started)
        folder = self.world.folder / f"faust-{number}"
        folder.mkdir()
        settings = {
            "app": self.group, "broker": self.world.bootstrap, "folder": str(folder), "source": self.source,
            "results": self.results, "stub": self.world.stub_url, "raises_at": raises_at,
            "session_seconds": self.session_seconds,
            "call": {"function_name": "f", "as_": "answer", "dead_letters": self.dead, **call},
        }  # fmt: skip
        (folder / "settings.json").write_text(json.dumps(settings))
        with (self.world.folder / f"faust-{number}.log").open("wb") as log:
            command = [sys.executable, "-m", "tests.scenarios.faust_agent", str(folder / "settings.json")]
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.started.append(process)
        return process

    def log(self, number: int = -1) -> str:
        number %= len(self.started)
        return (self.world.folder / f"faust-{number}.log").read_text(errors="replace")

    def done(self) -> int:
        """Results and dead letters so far, repeats included."""
        return self.world.count(self.results) + self.world.count(self.dead)

    def metrics(self, process: subprocess.Popen[bytes]) -> str:
        number = self.started.index(process)
        path: Path = self.world.folder / f"faust-{number}" / f"metrics-{process.pid}"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(60)


@pytest.fixture
def agents(world: World) -> Iterator[Agents]:
    """No agent yet; whoever was started is stopped at the end."""
    made = Agents(world)
    yield made
    made.stop()


def document(number: int) -> dict[str, Any]:
    return {"id": number, "pad": "x" * 100}


def produce(world: World, topic: str) -> None:
    world.produce(topic, map(document, range(COUNT)), key=lambda value: b"%d" % (value["id"] % 97))


def is_dead(number: int) -> bool:
    return fate_of(PLAN, str(number)).outcome == "function_error"


def check_places(results: list[Seen], dead: list[Seen]) -> int:
    """Every number is in its place at least once and in no other. Returns how many records are repeats."""
    in_results = Counter(int(record.json["id"]) for record in results)
    in_dead = Counter(int(record.json["id"]) for record in dead)
    assert in_results.keys() == {number for number in range(COUNT) if not is_dead(number)}
    assert in_dead.keys() == {number for number in range(COUNT) if is_dead(number)}
    assert all(record.json["answer"] == {"ok": 1} for record in results)
    return len(results) + len(dead) - COUNT


def check_order(results: list[Seen]) -> None:
    """In a partition each number comes for the first time behind the lower ones."""
    found: dict[int, list[int]] = defaultdict(list)
    for record in results:
        found[record.partition].append(int(record.json["id"]))
    for numbers in found.values():
        firsts = list(dict.fromkeys(numbers))
        assert firsts == sorted(firsts)


@pytest.mark.kafka
def test_a_faust_agent_accounts_for_every_event(
    world: World, agents: Agents, record_property: Callable[[str, object], None]
) -> None:
    """10,000 events, 5% of the calls fail, and the agent itself fails in the middle: results and dead letters
    are the events, none missing, results in the order of their partitions, dead letters byte for byte;
    Faust's own commit reaches the end; the catalogue's metrics are there."""
    produce(world, agents.source)
    began = time.monotonic()
    agent = agents.start(raises_at=next(number for number in range(COUNT // 2, COUNT) if not is_dead(number)))
    until(lambda: agents.done() >= COUNT or agent.poll() is not None, 60, "all results")
    seconds = time.monotonic() - began
    until(lambda: world.lag(agents.group, agents.source) == 0, 30, "Faust's commit of it all")
    until(lambda: 'outcome="dead_lettered"' in agents.metrics(agent), 20, "metrics")
    # Its end by SIGTERM is the story of agents that come and go: after an agent's own fault Faust's
    # supervisor may wait for the agent for ever (docs/faust.md).
    agent.kill()
    agent.wait(60)
    assert agents.log().count("ValueError: the agent's own fault") >= 1

    results, dead = world.read(agents.results), world.read(agents.dead)
    repeats = check_places(results, dead)
    figures = f"{COUNT} events in {seconds:.1f} s, Faust's start included, repeats {repeats}"
    record_property("figures", figures)
    check_order(results)
    source = {int(record.json["id"]): record for record in world.read(agents.source)}
    for letter in dead:
        original = source[int(letter.json["id"])]
        assert (letter.key, letter.value) == (original.key, original.value)
        where = letter.why["_stream_meta"]["source"]
        assert (where["partition"], where["offset"]) == (original.partition, original.offset)
        assert letter.why["errInfo"]["class"] == "ValueError"


@pytest.mark.kafka
def test_a_killed_faust_agent_loses_nothing(
    world: World, agents: Agents, record_property: Callable[[str, object], None]
) -> None:
    """kill -9 in mid-flow, and one that takes over, with a sink in place of the agent's own sends: every
    event is in its place at least once, and what is repeated is at most what had been taken. The order of a
    partition holds but for the repeats."""
    room = 1_000
    agents.session_seconds = 6.0
    world.start_stub(f=SLOW_JSON)
    produce(world, agents.source)
    first = agents.start(max_buffered_records=room, parallelism=16)
    until(lambda: agents.done() > COUNT * 0.1 or first.poll() is not None, 60, "a tenth of it")
    os.kill(first.pid, signal.SIGKILL)
    first.wait(60)
    assert world.lag(agents.group, agents.source) > 0, "the kill must come in mid-flow"

    world.start_stub(f=PLAN_JSON)
    second = agents.start(max_buffered_records=room, sink=agents.results)
    until(
        lambda: second.poll() is not None or world.lag(agents.group, agents.source) == 0, 90,
        "the commit of it all",
    )  # fmt: skip
    results, dead = world.read(agents.results), world.read(agents.dead)
    repeats = check_places(results, dead)
    record_property("figures", f"repeats {repeats} of {COUNT}")
    assert repeats <= 3 * room
    check_order(results)


@pytest.mark.kafka
def test_faust_agents_that_come_and_go_lose_nothing(
    world: World, agents: Agents, record_property: Callable[[str, object], None]
) -> None:
    """A second agent joins while calls are open, and the first one is stopped in mid-flow: every event is in
    its place at least once. Faust waits for what may end within the drain, so little is repeated."""
    produce(world, agents.source)
    room = 500
    world.start_stub(f=SLOWER_JSON)
    first = agents.start(parallelism=16, max_buffered_records=room)
    until(lambda: agents.done() > 50 or first.poll() is not None, 60, "the first results")
    second = agents.start(parallelism=16, max_buffered_records=room)
    until(
        lambda: "partitions_assigned" in agents.log() or second.poll() is not None, 60,
        "partitions of the second agent",
    )  # fmt: skip
    assert world.lag(agents.group, agents.source) > 0, "the second must join in mid-flow"
    first.send_signal(signal.SIGTERM)
    assert first.wait(90) == 0, agents.log(0)[-3_000:]
    assert world.lag(agents.group, agents.source) > 0, "the first must leave in mid-flow"
    world.start_stub(f=PLAN_JSON)
    until(
        lambda: second.poll() is not None or world.lag(agents.group, agents.source) == 0, 90,
        "the commit of it all",
    )  # fmt: skip
    repeats = check_places(world.read(agents.results), world.read(agents.dead))
    record_property("figures", f"repeats {repeats} of {COUNT}")
    assert repeats <= 3 * room


@pytest.mark.kafka
def test_a_faust_agent_that_cannot_go_on_ends_its_process(world: World, agents: Agents) -> None:
    """A function that is not there, and a failed call under `on_error="fail"`: the worker ends with an error,
    so that its supervisor starts it again, and commits nothing from the failing record on."""
    world.configure_stub(known_only=True)
    world.produce(agents.source, [document(0), document(1)], partition=0)
    first = agents.start(function_name="missing")
    assert first.wait(120) != 0
    assert "missing" in agents.log()

    world.start_stub(fails={"outcome": "function_error", "id_field": "id", "fates": []})
    second = agents.start(function_name="fails", on_error="fail")
    assert second.wait(120) != 0
    assert "onError is fail" in agents.log()
    assert world.lag(agents.group, agents.source) == 2
    assert agents.done() == 0
