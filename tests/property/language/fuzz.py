"""Fuzz the language for as long as asked: `python -m tests.property.language.fuzz --seconds 600 --seed 1`.

Every case has a time bound; crashes, hangs and disagreements with the reference are printed once for each set
of operators, the shortest case of it. Exit code 1 when there was one.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import re
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.property.language import judging, strategies

# What one case may take on a shared machine; the usual ones take under 5 ms.
CASE_SECONDS: Final = 3.0
# Cases drawn from one seed of hypothesis, before the clock is asked again.
CHUNK: Final = 200


class Hang(Exception):
    """A case took longer than its bound."""


@dataclass
class Findings:
    """The shortest case of each kind of trouble."""

    cases: Counter[str] = field(default_factory=Counter)
    found: dict[tuple[str, str], str] = field(default_factory=dict)

    def note(self, trouble: str, spec: Any, doc: dict[str, Any], what: str) -> None:
        """Keep the case if it is the shortest of its operators."""
        self.cases[trouble] += 1
        text = json.dumps(spec, default=repr)
        key = (trouble, " ".join(sorted(set(re.findall(r"\"(\$\w+)\":", text)))))
        case = f"{trouble}: {spec!r}\n    document {doc!r}\n    {what}"
        if key not in self.found or len(case) < len(self.found[key]):
            self.found[key] = case


@contextlib.contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise Hang when the block takes longer."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge(what: str, spec: Any, doc: dict[str, Any], findings: Findings) -> None:
    """Run one case and note what is wrong with it."""
    findings.cases[what] += 1
    try:
        with bounded(CASE_SECONDS):
            found = judging.disagreement(what, spec, doc)
    except Hang:
        findings.note("hang", spec, doc, f"more than {CASE_SECONDS} s")
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        findings.note(
            "crash", spec, doc, f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
        )
    else:
        if found:
            findings.note("mismatch", spec, doc, found)


def sources() -> dict[str, tuple[str, st.SearchStrategy[Any]]]:
    """What is fuzzed: how a specification is judged and where it comes from."""
    known, stages = judging.known_operators(), judging.known_stages()
    names = [*known, *strategies.QUERY_OPERATORS]
    anything = strategies.arbitrary(names)
    return {
        "expressions": ("expression", strategies.expressions(known)),
        "queries": ("query", strategies.queries(known)),
        "stages": ("stage", strategies.stages(known, stages)),
        "any expression": ("expression", strategies.arbitrary(known)),
        "any query": (
            "query",
            st.one_of(anything, st.dictionaries(strategies.FIELD_PATHS, anything, max_size=2)),
        ),
        "any stage": ("stage", st.builds(lambda name, spec: {name: spec}, st.sampled_from(stages), anything)),
    }


def chunk(what: str, specs: st.SearchStrategy[Any], from_seed: int, judged: Callable[..., None]) -> None:
    """Judge CHUNK cases of one source."""

    @seed(from_seed)
    @settings(
        max_examples=CHUNK, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(spec=specs, doc=strategies.documents())
    def cases(spec: Any, doc: dict[str, Any]) -> None:
        judged(what, spec, doc)

    cases()


def run(seconds: float, first_seed: int) -> Findings:
    """Fuzz until the time is over."""
    findings, deadline = Findings(), time.monotonic() + seconds

    def judged(what: str, spec: Any, doc: dict[str, Any]) -> None:
        if time.monotonic() < deadline:
            judge(what, spec, doc, findings)

    for round_, (what, specs) in enumerate(itertools.cycle(sources().values())):
        if time.monotonic() >= deadline:
            break
        chunk(what, specs, first_seed + round_, judged)
    return findings


def main() -> int:
    """Read the options, fuzz, print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=40, help="how many findings to print")
    options = parser.parse_args()
    findings = run(options.seconds, options.seed)
    for case in sorted(findings.found.values(), key=len)[: options.show]:
        print(case)
    print(dict(findings.cases), f"{len(findings.found)} findings, seed {options.seed}")
    return 1 if findings.found else 0


if __name__ == "__main__":
    sys.exit(main())
