"""decode + match + add field + emit: an engine process against the hand-written loop, in turns, on one
topic.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.broker import Broker
from benchmarks.report import Findings
from benchmarks.watching import Measured, program, watch, worker_command, write_app


def run(broker: Broker, records: int, rounds: int, *, engine: bool = True) -> Findings:
    """`rounds` of each in turns over the same `records`; without `engine` the loop alone."""
    findings = Findings(
        "pipeline_kafka" if engine else "loop",
        "Decode, match, add a field, emit: one process, 8 partitions",
        ("program", "round", "CPU us an output", "outputs/s", "RSS MB"),
    )
    source = broker.make_topic("in")
    expected = broker.fill(source, records)
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        for number in range(1, rounds + 1):
            for name in ("loop", "engine") if engine else ("loop",):
                target = broker.make_topic(f"out-{name}")
                place = Path(folder) / f"{name}-{number}"
                place.mkdir()
                if name == "loop":
                    group = f"{target}-group"
                    arguments = [broker.bootstrap, source, target, group, str(records), "stay"]
                    command = [sys.executable, "-m", "benchmarks.peers.loop", *arguments]
                else:
                    command = worker_command(_app(place / "app", broker, source, target))
                measured = _measure(command, broker, target, expected, place / "log")
                broker.delete_topic(target)
                findings.add(name, number, measured.cpu_us, measured.per_second, measured.rss_mb)
                best[name] = min(measured.cpu_us, best.get(name, measured.cpu_us))
    findings.summary = {"best_cpu_us": best, "records": records, "outputs": expected}
    findings.notes.append(
        f"{records:,} records of about 320 bytes, {expected:,} pass; user and system time of the process "
        "between the first and the last output; the best round of each counts."
    )
    if engine:
        findings.summary["loop_over_engine"] = best["loop"] / best["engine"]
        findings.notes.append(
            f"The engine reaches {best['loop'] / best['engine']:.0%} of the loop "
            f"({best['loop']:.2f} against {best['engine']:.2f} us)."
        )
    broker.delete_topic(source)
    return findings


def _measure(command: list[str], broker: Broker, target: str, expected: int, log: Path) -> Measured:
    with program(command, log) as process:
        return watch(process, broker, target, expected, log)


def _app(folder: Path, broker: Broker, source: str, target: str) -> Path:
    pipeline: list[dict[str, Any]] = [
        {
            "$source": {
                "connectionName": "kafka",
                "topic": source,
                "config": {"auto_offset_reset": "earliest", "group_id": f"{target}-group"},
            }
        },
        {"$match": {"channel": {"$ne": "test"}}},
        {"$addFields": {"total": {"$multiply": ["$amount", "$quantity"]}}},
        {"$emit": {"connectionName": "kafka", "topic": target}},
    ]
    dead_letters = {"dlq": {"connectionName": "kafka", "topic": f"{target}-dlq"}}
    return write_app(
        folder,
        {"kafka": {"type": "Kafka", "bootstrapServers": broker.bootstrap}},
        {"name": "bench", "pipeline": pipeline, "options": dead_letters},
    )
