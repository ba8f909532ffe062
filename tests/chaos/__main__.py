"""`python -m tests.chaos`: chaos runs, one row of figures each. Exit code 1: a run was wrong.

A run that was wrong keeps its folder: diary.jsonl, figures.json, the workers' logs, the broker's data.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

from tests.chaos.options import ChaosOptions
from tests.chaos.run import ChaosRun, Figures

ORDERINGS: Final = ("partition", "key", "none")
DELIVERIES: Final = ("at-least-once", "exactly-once")
PROTOCOLS: Final = ("consumer", "classic")
COLUMNS: Final = (
    "ordering", "delivery", "protocol", "batch", "records", "lost", "misplaced", "repeated", "bound",
    "order violations", "kills", "broker restarts", "calls", "aborted transactions", "seconds", "events/s",
    "seed", "verdict",
)  # fmt: skip


def row(options: ChaosOptions, figures: Figures) -> str:
    """One line of the table."""
    found = figures.account
    cells = (
        options.ordering, options.delivery, options.protocol, options.batch or "–", options.records,
        len(found.lost), len(found.misplaced), len(found.repeated), figures.bound,
        "–" if options.ordering == "none" else len(found.out_of_order), figures.kills,
        figures.broker_restarts, figures.calls, figures.aborted, f"{figures.seconds:.1f}",
        f"{options.records / figures.seconds:.0f}" if figures.seconds else "–", options.seed,
        "wrong" if figures.faults else "right",
    )  # fmt: skip
    return "| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells) + " |"


def chosen(arguments: argparse.Namespace) -> Iterator[ChaosOptions]:
    """The runs that were asked for. `--all`: each ordering with each delivery, and the classic protocol
    once."""
    pairs = [(arguments.ordering, arguments.delivery, arguments.protocol)]
    if arguments.all:
        pairs = [(*pair, "consumer") for pair in product(ORDERINGS, DELIVERIES)]
        pairs.append(("partition", "exactly-once", "classic"))
    for ordering, delivery, protocol in pairs:
        yield ChaosOptions(
            seed=arguments.seed, records=arguments.records, kills=arguments.kills,
            broker_restarts=arguments.broker_restarts, every_seconds=arguments.every,
            ordering=ordering, delivery=delivery, protocol=protocol, batch=arguments.batch,
        )  # fmt: skip


def main() -> int:
    """Run, print the table as it grows, say where the evidence of a wrong run is."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--ordering", choices=ORDERINGS, default="partition")
    parser.add_argument("--delivery", choices=DELIVERIES, default="at-least-once")
    parser.add_argument("--protocol", choices=PROTOCOLS, default="consumer")
    parser.add_argument("--batch", type=int, default=0, help="records a call; 0: one document a call")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--every", type=float, default=10.0, help="seconds from kill to kill")
    parser.add_argument("--broker-restarts", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the clock's when not given")
    parser.add_argument("--all", action="store_true", help="6 runs, and the classic protocol once")
    parser.add_argument("--keep", action="store_true", help="keep the folders of right runs, too")
    arguments = parser.parse_args()

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS), flush=True)
    failed = False
    for options in chosen(arguments):
        folder = Path(tempfile.mkdtemp(prefix="penstock-chaos-"))
        say(f"{options.describe()}: {folder}")
        figures = ChaosRun(options, folder, say).run()
        print(row(options, figures), flush=True)
        for fault in figures.faults:
            say(f"  WRONG {fault}")
        if figures.faults:
            say(f"  evidence: {folder}")
        elif not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
        failed = failed or bool(figures.faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
