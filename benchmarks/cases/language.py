"""The compiled language against functions written by hand: five pipelines, CPU a document through decode,
segment and encode; and what compiling costs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from benchmarks.peers import mingo
from benchmarks.peers.by_hand import FUNCTIONS
from benchmarks.pipelines import PIPELINES, long_pipeline
from benchmarks.purchases import purchases
from benchmarks.report import Findings
from topics.codecs import decode_many, encode, is_relaxed
from workers.pipeline import compile_stages
from workers.pipeline.program import Segment, SegmentFunction

DOCUMENTS: Final = 10_000
ROUNDS: Final = 9
LONG_STAGES: Final = 200
COMPILE_ROUNDS: Final = 5
# Documents between two turns: long enough for the clock (10 ms), and short enough that what else the machine
# does is seen as noise of one turn, not as a difference of the two.
BLOCK: Final = 1_000
# As many as the engine decodes before it encodes the first of them.
CHUNK: Final = 50

Values = Sequence[bytes]


def compiled(segment: Segment, values: Values) -> list[bytes | None]:
    """The results as the engine's short way makes them: what only filters passes the bytes on. None where
    there is none."""
    run, keeps = segment.run, segment.keeps_documents
    results: list[bytes | None] = []
    append = results.append
    for first in range(0, len(values), CHUNK):
        chunk = values[first : first + CHUNK]
        docs: list[Any] = decode_many(list(chunk))
        for value, outcome in zip(chunk, run(docs, None), strict=True):
            if outcome.__class__ is not dict:
                append(None)
            elif keeps and is_relaxed(value):
                append(value)
            else:
                append(encode(outcome))
    return results


def by_hand(function: Callable[[bytes], bytes | None], values: Values) -> list[bytes | None]:
    """The results of a function written by hand."""
    return [function(value) for value in values]


def check_equal(name: str, mine: Sequence[bytes | None], theirs: Sequence[bytes | None]) -> None:
    """Raise AssertionError with the first two results that differ in a byte."""
    for number, (one, other) in enumerate(zip(mine, theirs, strict=True)):
        assert one == other, f"{name}, document {number}:\n  compiled {one!r}\n  by hand  {other!r}"


def run(documents: int = DOCUMENTS, rounds: int = ROUNDS, *, with_mingo: bool = True) -> Findings:
    """`rounds` of each in turns over every block of the same documents; the best of each counts."""
    findings = Findings(
        "language",
        "The compiled language against the same by hand",
        ("pipeline", "by hand us", "compiled us", "ratio", "segment us", "compile ms", "mingo us"),
    )
    values = list(purchases(documents))
    in_mingo, about_mingo = mingo.measured(PIPELINES, values, min(rounds, 3)) if with_mingo else ({}, "")
    ratios: dict[str, float] = {}
    for name, pipeline in PIPELINES.items():
        (segment,) = compile_stages(pipeline).segments
        function = FUNCTIONS[name]
        check_equal(name, compiled(segment, values), by_hand(function, values))
        hand_us, mine_us, segment_us = _in_turns(segment, function, values, rounds)
        ratios[name] = mine_us / hand_us
        compile_ms = compile_seconds(pipeline) * 1e3
        findings.add(name, hand_us, mine_us, ratios[name], segment_us, compile_ms, in_mingo.get(name, "-"))
    mean = math.exp(math.fsum(map(math.log, ratios.values())) / len(ratios))
    long_ms = compile_seconds(long_pipeline(LONG_STAGES)) * 1e3
    findings.summary = {
        "geometric_mean": mean, "ratios": ratios, "documents": documents, "compile_200_stages_ms": long_ms,
    }  # fmt: skip
    size = sum(map(len, values)) / len(values)
    findings.notes += [
        f"Geometric mean of the ratios: {mean:.2f} (goal: at most 2.0).",
        f"{documents:,} documents of {size:.0f} bytes on average, results equal byte by byte; CPU of one "
        f"thread through decode, segment and encode; in turns every {BLOCK:,} documents, of {rounds} turns "
        "the best.",
        f"Compiling {LONG_STAGES} stages: {long_ms:.0f} ms (goal: under 500; the usual ones under 20).",
        *([about_mingo] if about_mingo else []),
    ]
    return findings


def _in_turns(
    segment: Segment, function: Callable[[bytes], bytes | None], values: Values, rounds: int
) -> tuple[float, float, float]:
    """Microseconds a document: by hand, compiled, and of that the segment alone."""
    best = [0.0, 0.0, 0.0]
    for first in range(0, len(values), BLOCK):
        block = values[first : first + BLOCK]
        docs: list[Any] = decode_many(list(block))
        chunks = [docs[start : start + CHUNK] for start in range(0, len(docs), CHUNK)]
        work: tuple[Callable[[], Any], ...] = (
            partial(by_hand, function, block),
            partial(compiled, segment, block),
            partial(_segment_alone, segment.run, chunks),
        )
        took = [[_cpu_seconds(one) for one in work] for _ in range(rounds)]
        best = [total + min(times) for total, times in zip(best, zip(*took, strict=True), strict=True)]
    hand, mine, alone = (seconds / len(values) * 1e6 for seconds in best)
    return hand, mine, alone


def _segment_alone(run: SegmentFunction, chunks: Sequence[Sequence[Any]]) -> None:
    for chunk in chunks:
        run(chunk, None)


def _cpu_seconds(work: Callable[[], Any]) -> float:
    """CPU of this process, which has one thread."""
    began = time.process_time()
    work()
    return time.process_time() - began


def compile_seconds(pipeline: Sequence[dict[str, Any]]) -> float:
    """CPU of compiling it, the best of a few times."""
    return min(_cpu_seconds(lambda: compile_stages(pipeline)) for _ in range(COMPILE_ROUNDS))
