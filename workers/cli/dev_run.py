"""One session of `penstock dev`: start in order, watch, stop in reverse order, count."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from topics.contract import TopicContract, parse_contract
from workers.appfolder import App, KafkaConnection, SampleConnection, load_app
from workers.assembly import client_config
from workers.cli.dev_children import Child
from workers.cli.dev_live import Display, Status, ask, statuses
from workers.cli.dev_summary import Ledger, Summary
from workers.cli.report import say
from workers.cli.topics import carry_out, without_contract
from workers.errors import Fatal, Invalid, PenstockError, Problem
from workers.local.cluster import broker_from_environment_or_embedded
from workers.local.sample import SampleReport, SampleSettings, SampleSource

# Without --records a sample is there to be watched: a steady trickle instead of full speed.
WATCHED_PER_SECOND: Final = 200.0
READY_SECONDS: Final = 90.0
POLL_SECONDS: Final = 0.5
# Nothing committed or consumed for so long: something is stuck (two tries of a call are 20 s apart at most).
STUCK_SECONDS: Final = 90.0
# After Ctrl-C what was taken is finished, so that the sum can be made; then the worker drains anyway.
FINISH_SECONDS: Final = 15.0
# An engine says its counts each second; on a busy machine a little later.
SETTLED_SECONDS: Final = 5.0
NEW_PARTITIONS: Final = 4
# Where a record can end; each counts in one of them.
ENDS: Final = ("emitted", "dead_lettered", "dropped", "ignored")


@dataclass(frozen=True, slots=True)
class DevOptions:
    """What the command line says."""

    folder: Path
    sample: SampleConnection | None
    records: int | None
    per_second: float | None
    processes: int
    metrics_port: int
    kafka_folder: Path
    has_functions: bool

    @property
    def state_folder(self) -> Path:
        """Logs and addresses of what is started."""
        return self.kafka_folder.parent / "dev"


class Session:
    """Runs once. `trouble` says why it failed, or is empty."""

    def __init__(self, options: DevOptions, env: Mapping[str, str]) -> None:
        self.trouble = ""
        self._options = options
        self._env = dict(env)
        self._stopping = threading.Event()
        self._sample: SampleSource | None = None
        self._places: dict[str, str] = {}

    def produced(self) -> dict[str, int]:
        """Acknowledged sample records by kind."""
        report = SampleReport() if self._sample is None else self._sample.report
        return {str(kind): count for kind, count in report.kinds.items()}

    def places(self) -> list[str]:
        """Where to look."""
        width = max(map(len, self._places), default=0)
        return [f"{what.ljust(width)}  {where}" for what, where in self._places.items()]

    def run(self) -> list[Summary]:
        """Everything, to the summary. Raises LocalFailure and Fatal for what does not start, Invalid for what
        refuses its input; whatever happens, all that was started is ended."""
        state = self._options.state_folder
        state.mkdir(parents=True, exist_ok=True)
        with self._signals(), contextlib.ExitStack() as stack:
            cluster = stack.enter_context(
                broker_from_environment_or_embedded(self._options.kafka_folder, environment=self._env)
            )
            self._env["KAFKA_BOOTSTRAP"] = cluster.address
            self._places["kafka"] = f"{cluster.address} ({cluster.origin})"
            if self._options.has_functions and "FUNCTIONS_ENDPOINT" not in self._env:
                host = stack.enter_context(Child("functions", self._serve_command(), self._env, state))
                self._env["FUNCTIONS_ENDPOINT"] = host.address(self._stopping.is_set)
                self._places["functions"] = f"{self._env['FUNCTIONS_ENDPOINT']} (log: {host.log})"
            if self._stopping.is_set():
                return []
            app = load_app(self._options.folder, {**_PLACEHOLDER, **self._env})
            prepare_topics(app)
            ledgers = [Ledger.open(app, spec) for spec in app.processors]
            worker = stack.enter_context(Child("worker", self._worker_command(), self._env, state))
            found = self._watch(app, worker, ledgers)
            if worker.stop() and not self.trouble:
                self.trouble = f"the worker did not end cleanly:\n{worker.tail()}"
            return [ledger.close(app, found.get(ledger.spec.name)) for ledger in ledgers]

    def _watch(self, app: App, worker: Child, ledgers: Sequence[Ledger]) -> dict[str, Status]:
        """From the worker's start to the moment when it may be stopped; the last status of each processor."""
        address = worker.address(self._stopping.is_set)
        if not address or not self._wait_until_ready(worker, address):
            return {}
        self._places["metrics"] = f"{address}/metrics and {address}/status (log: {worker.log})"
        for spec in app.processors:
            sink = spec.program.sink
            topics = (spec.program.source.topics if spec.program.source else (), sink.topic if sink else None)
            self._places[spec.name] = (
                f"{', '.join(topics[0])} -> {topics[1] or '-'}, dead letters in {spec.dead_letters.topic}"
            )
        say(*self.places())
        feeder = self._feed(app)
        with Display() as display:
            found = self._until_done(worker, address, ledgers, feeder, display)
        return {one["name"]: one for one in found}

    def _until_done(
        self, worker: Child, address: str, ledgers: Sequence[Ledger], feeder: threading.Thread | None,
        display: Display,
    ) -> list[Status]:  # fmt: skip
        progress = _Progress()
        found: list[Status] = []
        while True:
            worker.check()
            found = statuses(address) or found
            display.show(found, self._sample.report.acked if self._sample else 0)
            if failed := [one for one in found if one["state"] == "FAILED"]:
                self.trouble = f"{failed[0]['name']} is FAILED: {failed[0]['errors']}"
                break
            if self._stopping.is_set() and self._sample is not None:
                self._sample.stop()
            is_fed = feeder is None or not feeder.is_alive()
            if is_fed and (feeder is not None or self._stopping.is_set()):
                left = [ledger.left() for ledger in ledgers]
                if not any(left):
                    return self._settled(address, found, ledgers)
                progress.note((*left, *(one["consumed"] + one["calls"] for one in found)))
                limit = FINISH_SECONDS if self._stopping.is_set() else STUCK_SECONDS
                if progress.stuck_seconds() > limit:
                    self.trouble = f"{sum(left)} records are left and nothing moves"
                    break
            time.sleep(POLL_SECONDS)
        if self._sample is not None:
            self._sample.stop()
        return found

    def _settled(self, address: str, found: list[Status], ledgers: Sequence[Ledger]) -> list[Status]:
        """The counts once they hold all that was committed: the frame that says so may be a second away."""
        expected = {ledger.spec.name: ledger.taken() for ledger in ledgers}
        deadline = time.monotonic() + SETTLED_SECONDS
        while time.monotonic() < deadline:
            found = statuses(address) or found
            settled = {one["name"]: sum(int(one[end]) for end in ENDS) for one in found}
            if all(settled.get(name, 0) >= count for name, count in expected.items()):
                break
            time.sleep(POLL_SECONDS / 5)
        return found

    def _wait_until_ready(self, worker: Child, address: str) -> bool:
        """False when told to stop meanwhile."""
        deadline = time.monotonic() + READY_SECONDS
        answer = None
        while not self._stopping.is_set():
            worker.check()
            answer = ask(f"{address}/readyz")
            if isinstance(answer, dict) and answer.get("ready"):
                return True
            if time.monotonic() > deadline:
                reasons = "; ".join(answer["reasons"]) if isinstance(answer, dict) else "no answer"
                raise Fatal(f"the worker is not ready after {READY_SECONDS:g} s: {reasons}\n{worker.tail()}")
            self._stopping.wait(POLL_SECONDS / 5)
        return False

    def _feed(self, app: App) -> threading.Thread | None:
        """The sample source, on a thread of its own; it ends after --records or when it is stopped."""
        sample, options = self._options.sample, self._options
        if sample is None:
            return None
        connection = app.connections[sample.connection_name]
        assert isinstance(connection, KafkaConnection)
        trickle = None if options.records is not None else sample.per_second or WATCHED_PER_SECOND
        settings = SampleSettings(
            sample.topic, sample.data_set, sample.seed, options.records, options.per_second or trickle
        )
        self._sample = source = SampleSource(client_config(connection, "producer"), settings)

        def run() -> None:
            try:
                source.run()
            except PenstockError as error:
                self.trouble = str(error)
                self._stopping.set()

        thread = threading.Thread(target=run, name="sample", daemon=True)
        thread.start()
        return thread

    def _serve_command(self) -> list[str]:
        # On this machine alone, for the worker beside it, which need not hold a key of the app.
        folder = str(self._options.folder)
        return ["functions", "serve", "--app", folder, "--port", "0", "--no-authentication"]

    def _worker_command(self) -> list[str]:
        return [
            "worker", "--app", str(self._options.folder), "--processes", str(self._options.processes),
            "--metrics-port", str(self._options.metrics_port),
        ]  # fmt: skip

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """The first Ctrl-C or SIGTERM stops in order, a second one at once; both end what was started."""

        def on_signal(number: int, frame: FrameType | None) -> None:
            if self._stopping.is_set():
                raise KeyboardInterrupt
            self._stopping.set()

        before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


# An app without functions may still name the endpoint in a connection that nothing calls.
_PLACEHOLDER: Final = {"FUNCTIONS_ENDPOINT": "http://127.0.0.1:9000"}


class _Progress:
    """When the numbers last changed."""

    def __init__(self) -> None:
        self._seen: tuple[int, ...] = ()
        self._since = time.monotonic()

    def note(self, numbers: tuple[int, ...]) -> None:
        if numbers != self._seen:
            self._seen, self._since = numbers, time.monotonic()

    def stuck_seconds(self) -> float:
        return time.monotonic() - self._since


def prepare_topics(app: App) -> None:
    """Make the topics: those with a contract as it says, others with a few partitions, so that a first run
    needs no contract. Raises Fatal for what the cluster refuses."""
    names = {spec.program.source.connection for spec in app.processors if spec.program.source is not None}
    connections = [app.connections[name] for name in sorted(names)]
    if len({str(one.bootstrap_servers) for one in connections if isinstance(one, KafkaConnection)}) > 1:
        raise Invalid(
            [Problem("processors", "", "sources on several clusters", "one cluster; dev starts one Kafka")]
        )
    dead = {spec.dead_letters.topic: spec for spec in app.processors}
    more: list[TopicContract] = []
    for topic in without_contract(app):
        said: dict[str, object] = {"partitions": 1 if topic in dead else NEW_PARTITIONS}
        more.append(parse_contract(said, f"{topic}.yaml"))
    for connection in connections[:1]:
        assert isinstance(connection, KafkaConnection)
        for step in carry_out(app, connection, more):
            say(f"topics: {step.describe()}")
