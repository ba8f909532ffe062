"""`make bench`: measure, write benchmarks/results/<case>.json and .md, print the tables."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from benchmarks.broker import Broker, broker
from benchmarks.cases import (
    batches,
    calls,
    flow_control,
    functions,
    invoker,
    language,
    neighbours,
    pipeline_kafka,
    rebalances,
)
from benchmarks.machine import machine
from benchmarks.report import Findings, markdown, write

CASES: Final = (
    "language",
    "invoker",
    "functions",
    "pipeline_kafka",
    "loop",
    "calls",
    "batches",
    "rebalances",
    "flow_control",
    "neighbours",
)
PIPELINE_RECORDS: Final = 200_000
CALL_RECORDS: Final = 60_000
ROUNDS: Final = 5
CALL_ROUNDS: Final = 3


def main() -> None:
    """Run the chosen cases, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", choices=CASES, action="append", help="cases to run; all but loop when not given"
    )
    parser.add_argument("--records", type=int, help="records of a round")
    parser.add_argument("--rounds", type=int, help="rounds of each program")
    parser.add_argument("--date", default=datetime.now(UTC).date().isoformat(), help="the date to write down")
    parser.add_argument("--dry", action="store_true", help="print the tables, write nothing")
    options = parser.parse_args()
    chosen = options.only or [name for name in CASES if name != "loop"]

    def measure(case: Callable[[], Findings]) -> None:
        facts = machine(options.date)
        findings = case()
        print(markdown(findings, facts))
        if not options.dry:
            print(f"written: {write(findings, facts)}\n")

    pipeline = (options.records or PIPELINE_RECORDS, options.rounds or ROUNDS)
    calling = (options.records or CALL_RECORDS, options.rounds or CALL_ROUNDS)
    if "language" in chosen:
        measure(
            lambda: language.run(options.records or language.DOCUMENTS, options.rounds or language.ROUNDS)
        )
    if "invoker" in chosen:
        measure(lambda: invoker.run(*calling))
    if "functions" in chosen:
        measure(lambda: functions.run(options.records or functions.CALLS, options.rounds or CALL_ROUNDS))
    on_broker: dict[str, Callable[[Broker], Findings]] = {
        "pipeline_kafka": lambda running: pipeline_kafka.run(running, *pipeline),
        "loop": lambda running: pipeline_kafka.run(running, *pipeline, engine=False),
        "calls": lambda running: calls.run(running, *calling),
        "batches": lambda running: batches.run(running, *pipeline),
        "rebalances": rebalances.run,
        "flow_control": flow_control.run,
        "neighbours": neighbours.run,
    }
    wanted = [case for name, case in on_broker.items() if name in chosen]
    if wanted:
        with broker() as running:
            for case in wanted:
                measure(partial(case, running))


if __name__ == "__main__":
    main()
