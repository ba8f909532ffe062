"""Exactly-once while the group changes: throughput and aborted transactions, beside a group at rest."""

from __future__ import annotations

import re
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
from confluent_kafka import Consumer, TopicPartition

from benchmarks.broker import PARTITIONS, Broker
from benchmarks.report import Findings
from benchmarks.watching import lambda_stub, program, worker_command, write_app

WORKERS: Final = 3
SECONDS: Final = 90.0
FIRST_SECONDS: Final = 15.0
EVERY_SECONDS: Final = 30.0
START_SECONDS: Final = 90.0
# 3 x 8 calls of 20 ms are 1,200 a second: two cores are not what bounds it.
PARALLELISM: Final = 8
RECORDS: Final = 200_000
_COUNTED: Final = re.compile(
    r'^penstock_transactions_total\{.*?result="(\w+)".*?\} ([\d.e+]+)$', re.MULTILINE
)


@dataclass(slots=True)
class Pod:
    """One worker in its place; `started` again and again."""

    number: int
    app: Path
    folder: Path
    transactions: Counter[str] = field(default_factory=Counter)
    _running: AbstractContextManager[psutil.Popen] | None = None
    _lives: int = 0

    def start(self) -> None:
        """Start the worker with the slot of this place."""
        self._lives += 1
        name = f"{self.number}-{self._lives}"
        command = [*worker_command(self.app), "--address-file", str(self._address)]
        self._address.unlink(missing_ok=True)
        self._running = program(command, self.folder / f"{name}.log", PENSTOCK_SLOT=f"pod-{self.number}")
        self._running.__enter__()

    def stop(self) -> None:
        """SIGTERM, after its last counts were read."""
        if self._running is not None:
            self.transactions += self.counts()
            self._running.__exit__(None, None, None)
            self._running = None

    def counts(self) -> Counter[str]:
        """Transactions by their end in this life."""
        try:
            with urllib.request.urlopen(f"{self._address.read_text().strip()}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except (OSError, ValueError, urllib.error.HTTPError):
            return Counter()
        return Counter({result: int(float(count)) for result, count in _COUNTED.findall(text)})

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._address.read_text().strip()}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError, urllib.error.HTTPError):
            return False

    @property
    def _address(self) -> Path:
        return self.folder / f"{self.number}.address"


def run(broker: Broker, seconds: float = SECONDS) -> Findings:
    """Both group protocols, without and with a restart each 30 s, `seconds` each."""
    findings = Findings(
        "rebalances",
        f"Exactly-once, {WORKERS} workers, {PARTITIONS} partitions, one of them restarted each 30 s",
        ("protocol", "restarts", "records/s", "of a group at rest", "committed", "aborted", "in doubt"),
    )
    shares: dict[str, float] = {}
    with lambda_stub() as url:
        for protocol in ("consumer", "classic"):
            rest = 0.0
            for restarts in (False, True):
                rate, restarted, counts = _measure(broker, url, protocol, seconds, restarts)
                rest = rest or rate
                shares[protocol] = rate / rest
                ends = (counts["committed"], counts["aborted"], counts["in_doubt"])
                findings.add(protocol, restarted, rate, rate / rest, *ends)
    findings.summary = {"share_of_a_group_at_rest": shares}
    findings.notes.append(
        f"{PARALLELISM} calls of 20 ms at once in each worker; records/s by committed offsets over "
        f"{seconds:.0f} s. A restart is SIGTERM and a new start: two rebalances, and some seconds in which "
        "a third of the capacity starts."
    )
    return findings


def _measure(
    broker: Broker, url: str, protocol: str, seconds: float, restarts: bool
) -> tuple[float, int, Counter[str]]:
    source, target = broker.make_topic("in"), broker.make_topic("out")
    broker.fill(source, RECORDS)
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder, ExitStack() as stack:
        app = _app(Path(folder) / "app", broker, source, target, url, protocol)
        pods = [Pod(number, app, Path(folder)) for number in range(WORKERS)]
        asker = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": f"{target}-group"})
        stack.callback(asker.close)
        for pod in pods:
            stack.callback(pod.stop)
            pod.start()
        _until(lambda: all(pod.is_ready() for pod in pods))
        _until(lambda: _done(asker, source) > 0)
        began, at_start, before = time.monotonic(), _done(asker, source), _total(pods)
        due, restarted = began + FIRST_SECONDS, 0
        while (now := time.monotonic()) < began + seconds:
            if restarts and now >= due:
                pod = pods[restarted % WORKERS]
                pod.stop()
                pod.start()
                restarted, due = restarted + 1, due + EVERY_SECONDS
            time.sleep(0.2)
        rate = (_done(asker, source) - at_start) / (time.monotonic() - began)
        counts = _total(pods) - before
    for topic in (source, target):
        broker.delete_topic(topic)
    return rate, restarted, counts


def _total(pods: list[Pod]) -> Counter[str]:
    total: Counter[str] = Counter()
    for pod in pods:
        total += pod.transactions + pod.counts()
    return total


def _done(asker: Consumer, source: str) -> int:
    asked = [TopicPartition(source, number) for number in range(PARTITIONS)]
    return sum(max(found.offset, 0) for found in asker.committed(asked, timeout=30))


def _until(holds: Any) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "the workers never began"
        time.sleep(0.1)


def _app(folder: Path, broker: Broker, source: str, target: str, url: str, protocol: str) -> Path:
    reading = {"auto_offset_reset": "earliest", "group_id": f"{target}-group"}
    call = {"connectionName": "functions", "functionName": "f20", "as": "answer", "parallelism": PARALLELISM}
    pipeline: list[dict[str, Any]] = [
        {"$source": {"connectionName": "kafka", "topic": source, "config": reading}},
        {"$externalFunction": call},
        {"$emit": {"connectionName": "kafka", "topic": target}},
    ]
    connections = {
        "kafka": {"type": "Kafka", "bootstrapServers": broker.bootstrap, "groupProtocol": protocol},
        "functions": {
            "type": "AWSLambda", "region": "us-east-1", "endpointUrl": url,
            "accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "bench",
        },
    }  # fmt: skip
    options = {"dlq": {"connectionName": "kafka", "topic": f"{target}-dlq"}, "delivery": "exactly-once"}
    return write_app(folder, connections, {"name": "bench", "pipeline": pipeline, "options": options})
