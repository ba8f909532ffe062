"""One call an event through a whole worker: CPU of the engine process a call, share of Little's law."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.broker import Broker
from benchmarks.report import Findings
from benchmarks.watching import lambda_stub, program, watch, worker_command, write_app

IN_FLIGHT: Final = 200


def run(broker: Broker, records: int, rounds: int) -> Findings:
    """`rounds` at 0 and at 20 ms over the same `records`."""
    findings = Findings(
        "calls",
        "One signed call an event, 200 in flight, one engine process",
        ("latency ms", "round", "CPU us a call", "calls/s", "share of Little's law", "RSS MB"),
    )
    source = broker.make_topic("in")
    broker.fill(source, records)
    best: dict[int, float] = {}
    shares: list[float] = []
    with lambda_stub() as url, tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        for latency in (0, 20):
            for number in range(1, rounds + 1):
                target = broker.make_topic("out-calls")
                place = Path(folder) / f"{latency}-{number}"
                place.mkdir()
                call = {"functionName": f"f{latency}", "parallelism": IN_FLIGHT}
                app = calling_app(place / "app", broker, (source, target), url, call, {})
                with program(worker_command(app), place / "log") as process:
                    measured = watch(process, broker, target, records, place / "log")
                broker.delete_topic(target)
                share: float | str = "-"
                if latency:
                    share = measured.per_second * latency / 1000 / IN_FLIGHT
                    shares.append(share)
                findings.add(latency, number, measured.cpu_us, measured.per_second, share, measured.rss_mb)
                best[latency] = min(measured.cpu_us, best.get(latency, measured.cpu_us))
    findings.summary = {"best_cpu_us": best, "best_share": max(shares), "records": records}
    findings.notes.append(
        f"{records:,} records, each sent whole and its answer set at `answer`; partition order; "
        "user and system time of the engine process between the first and the last output."
    )
    broker.delete_topic(source)
    return findings


def calling_app(
    folder: Path, broker: Broker, topics: tuple[str, str], url: str, call: dict[str, Any],
    options: dict[str, Any],
) -> Path:  # fmt: skip
    """An app folder whose one processor calls the stub between two topics (source, target). `call`: fields of
    the stage, `options`: of the processor."""
    source, target = topics
    pipeline: list[dict[str, Any]] = [
        {
            "$source": {
                "connectionName": "kafka",
                "topic": source,
                "config": {"auto_offset_reset": "earliest", "group_id": f"{target}-group"},
            }
        },
        {"$externalFunction": {"connectionName": "functions", "as": "answer", **call}},
        {"$emit": {"connectionName": "kafka", "topic": target}},
    ]
    connections = {
        "kafka": {"type": "Kafka", "bootstrapServers": broker.bootstrap},
        "functions": {
            "type": "AWSLambda",
            "region": "us-east-1",
            "endpointUrl": url,
            "accessKeyId": "AKIDEXAMPLE",
            "secretAccessKey": "bench",
        },
    }
    dead_letters = {"dlq": {"connectionName": "kafka", "topic": f"{target}-dlq"}}
    processor = {"name": "bench", "pipeline": pipeline, "options": {**dead_letters, **options}}
    return write_app(folder, connections, processor)
