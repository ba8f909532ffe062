"""Two processors of one worker: the function of one is being deployed, then both share a function's limit."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.broker import Broker
from benchmarks.cases.flow_control import Curve, ask
from benchmarks.report import Findings
from benchmarks.watching import lambda_stub, program, worker_command, write_app

LATENCY_MS: Final = 50
PARALLELISM: Final = 20
RATE: Final = PARALLELISM * 1000 // LATENCY_MS
BEFORE_SECONDS: Final = 15.0
CONFLICT_SECONDS: Final = 5.0
MISSING_SECONDS: Final = 60.0
# The probes of a hold come 5, 15, 35 and 75 s after its begin; then the backlog.
AFTER_SECONDS: Final = 45.0
SHARED_LIMIT: Final = 20
SHARED_SECONDS: Final = 30.0
WELL: Final = {"latency_ms": LATENCY_MS}
CONFLICT: Final = {"outcome": "error", "status": 409, "error_type": "ResourceConflictException"}
MISSING: Final = {"outcome": "error", "status": 404, "error_type": "ResourceNotFoundException"}


@dataclass(frozen=True, slots=True)
class Processor:
    """`name` calls `function` with every record of its own topic."""

    name: str
    function: str
    source: str
    target: str
    dead: str
    parallelism: int = PARALLELISM

    def as_json(self) -> dict[str, Any]:
        reading = {"auto_offset_reset": "earliest", "group_id": f"{self.target}-group"}
        call = {"connectionName": "functions", "functionName": self.function, "as": "answer"}
        return {
            "name": self.name,
            "pipeline": [
                {"$source": {"connectionName": "kafka", "topic": self.source, "config": reading}},
                {"$externalFunction": {**call, "parallelism": self.parallelism}},
                {"$emit": {"connectionName": "kafka", "topic": self.target}},
            ],
            "options": {"dlq": {"connectionName": "kafka", "topic": self.dead}},
        }


def run(broker: Broker) -> Findings:
    """Both stories: about four minutes."""
    findings = Findings(
        "neighbours",
        "Two processors of one worker: a deploy beside a healthy function, and a shared limit",
        ("what", "figure"),
    )
    deploy, shared = _deploy(broker), _shared(broker)
    for what, figure in (*deploy.items(), *shared.items()):
        findings.add(what, figure)
    findings.notes += [
        f"The deploy: {CONFLICT_SECONDS:.0f} s of 409, {MISSING_SECONDS:.0f} s of 404, then well; both "
        f"processors have a backlog and {PARALLELISM} calls of {LATENCY_MS} ms at once. Rates are calls a "
        "second as the healthy function counted them.",
        f"The shared limit: {SHARED_LIMIT} calls at a time over {SHARED_SECONDS:.0f} s, one processor with "
        f"`parallelism: {PARALLELISM}`, the other with four times as much; by what each had written.",
    ]
    findings.summary = {**deploy, **shared}
    return findings


def _deploy(broker: Broker) -> dict[str, Any]:
    seconds = BEFORE_SECONDS + CONFLICT_SECONDS + MISSING_SECONDS + AFTER_SECONDS
    counts = {"deployed": int(RATE * (BEFORE_SECONDS + AFTER_SECONDS / 2)), "healthy": int(RATE * seconds)}
    found = {name: Processor(name, name, *_topics(broker, name)) for name in counts}
    for name, count in counts.items():
        broker.fill(found[name].source, count)
    with _worker(broker, list(found.values()), {"deployed": WELL, "healthy": WELL}) as url:
        steps = [(BEFORE_SECONDS, WELL), (CONFLICT_SECONDS, CONFLICT), (MISSING_SECONDS, MISSING)]
        ask(url, "/config", {"functions": {"deployed": {**WELL, "timeline": steps}}})
        ask(url, "/reset", {})
        time.sleep(BEFORE_SECONDS + CONFLICT_SECONDS + MISSING_SECONDS + 1)
        history, stats = ask(url, "/history"), ask(url, "/stats")["functions"]
        _until(lambda: broker.count(found["deployed"].target) >= counts["deployed"])
    healthy = Curve(history["healthy"]["window_seconds"], history["healthy"]["windows"])
    fault_ends = BEFORE_SECONDS + CONFLICT_SECONDS + MISSING_SECONDS
    rate_before = healthy.rate(2, BEFORE_SECONDS)
    rate_during = healthy.rate(BEFORE_SECONDS, fault_ends)
    refused = stats["deployed"]["outcomes"]["error"]
    deployed = found["deployed"]
    return {
        "deploy: results of all records": f"{broker.count(deployed.target):,} of {counts['deployed']:,}",
        "deploy: dead letters": broker.count(deployed.dead),
        "deploy: calls refused, retries and probes among them": refused,
        "deploy: the other's calls/s before": rate_before,
        "deploy: the other's calls/s during 409 and 404": rate_during,
        "deploy: the other's rate during / before": rate_during / rate_before,
    }


def _shared(broker: Broker) -> dict[str, Any]:
    count = int(SHARED_LIMIT * 1000 / LATENCY_MS * (SHARED_SECONDS + 10))
    processors = [
        Processor(name, "shared", *_topics(broker, name), parallelism)
        for name, parallelism in (("few", PARALLELISM), ("many", 4 * PARALLELISM))
    ]
    for each in processors:
        broker.fill(each.source, count)
    with _worker(broker, processors, {"shared": {**WELL, "concurrency": SHARED_LIMIT}}):
        _until(lambda: all(broker.count(each.target) > RATE // 4 for each in processors))
        before = [broker.count(each.target) for each in processors]
        time.sleep(SHARED_SECONDS)
        after = [broker.count(each.target) for each in processors]
    few, many = (last - first for first, last in zip(before, after, strict=True))
    return {
        "shared: calls of the one that may have 20 open": few,
        "shared: calls of the one that may have 80 open": many,
        "shared: share of the first": few / (few + many),
    }


@contextmanager
def _worker(
    broker: Broker, processors: list[Processor], functions: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """A worker with these processors whose functions have been called; the URL of the stub."""
    with ExitStack() as stack:
        url = stack.enter_context(lambda_stub())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-")))
        connections = {
            "kafka": {"type": "Kafka", "bootstrapServers": broker.bootstrap},
            "functions": {
                "type": "AWSLambda", "region": "us-east-1", "endpointUrl": url,
                "accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "bench",
            },
        }  # fmt: skip
        for each in processors:
            app = write_app(folder / "app", connections, each.as_json())
        ask(url, "/config", {"functions": functions})
        stack.enter_context(program(worker_command(app), folder / "log"))
        _until(lambda: all(broker.count(each.target) for each in processors))
        yield url


def _topics(broker: Broker, name: str) -> tuple[str, str, str]:
    source, target, dead = (broker.make_topic(f"{name}-{end}") for end in ("in", "out", "dead"))
    return source, target, dead


def _until(holds: Any, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the worker did not come as far"
        time.sleep(0.1)
