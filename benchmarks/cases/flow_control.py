"""The limit that a worker learns of a function: a concurrency of 50 for a minute, then none."""

from __future__ import annotations

import json
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.broker import Broker
from benchmarks.cases.calls import calling_app
from benchmarks.picture import Line, Picture
from benchmarks.report import RESULTS, Findings
from benchmarks.watching import lambda_stub, program, worker_command
from tests.fakes.lambda_history import median_level

LIMIT: Final = 50
PARALLELISM: Final = 200
LATENCY_MS: Final = 500
LIMITED_SECONDS: Final = 60.0
JUDGED_SECONDS: Final = 40.0
AFTER_SECONDS: Final = 45.0
WITHIN_SECONDS: Final = 30.0
FREE: Final = {"latency_ms": LATENCY_MS}
RATE_WINDOW_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Story:
    """One run. `before_seconds`: how long the function is free first; `reason` of its throttles."""

    name: str
    before_seconds: float
    reason: str

    @property
    def limited(self) -> dict[str, Any]:
        return {**FREE, "concurrency": LIMIT, "reason": self.reason}

    @property
    def steps(self) -> list[tuple[float, dict[str, Any]]]:
        """Before, while and after, as the stub's timeline."""
        before = [(self.before_seconds, FREE)] if self.before_seconds else []
        return [*before, (LIMITED_SECONDS, self.limited)]

    @property
    def seconds(self) -> float:
        return self.before_seconds + LIMITED_SECONDS + AFTER_SECONDS


RESERVED: Final = "ReservedFunctionConcurrentInvocationLimitExceeded"
SHARED: Final = "ConcurrentInvocationLimitExceeded"
STORIES: Final = (
    Story("limited from the first call on", 0.0, RESERVED),
    Story("free for 15 s before", 15.0, RESERVED),
    Story("the account's limit", 0.0, SHARED),
)


@dataclass(frozen=True, slots=True)
class Curve:
    """What the function saw, in windows of `window_seconds` since the run began."""

    window_seconds: float
    windows: Sequence[dict[str, Any]]

    def between(self, first: float, last: float) -> Sequence[dict[str, Any]]:
        """The windows of these seconds."""
        return self.windows[round(first / self.window_seconds) : round(last / self.window_seconds)]

    def rate(self, first: float, last: float) -> float:
        """Calls a second that were not throttled."""
        found = self.between(first, last)
        taken = float(sum(window["calls"] - window["throttled"] for window in found))
        return taken / (len(found) * self.window_seconds) if found else 0.0

    def share_throttled(self, first: float, last: float) -> float:
        """Of all calls in these seconds."""
        found = self.between(first, last)
        calls = sum(int(window["calls"]) for window in found)
        return sum(int(window["throttled"]) for window in found) / max(1, calls)

    def first_at(self, rate: float, after: float, until: float) -> float | None:
        """Seconds from `after` until the rate was reached over two seconds; None where it was not."""
        at = after + RATE_WINDOW_SECONDS
        while at <= until:
            if self.rate(at - RATE_WINDOW_SECONDS, at) >= rate:
                return at - after
            at += self.window_seconds
        return None


def run(broker: Broker) -> Findings:
    """Each story once: about two minutes each."""
    findings = Findings(
        "flow_control",
        f"A function that takes {LIMIT} calls at a time for {LIMITED_SECONDS:.0f} s, then all",
        ("story", "median in flight", "throttled", "free calls/s", "of Little's law", "s to 90%", "at 30 s"),
    )
    summary: dict[str, Any] = {}
    for number, story in enumerate(STORIES):
        curve = _measure(broker, story)
        began, ended = story.before_seconds, story.before_seconds + LIMITED_SECONDS
        median = median_level(curve.between(ended - JUDGED_SECONDS, ended))
        throttled = curve.share_throttled(began, ended)
        free = curve.rate(story.seconds - 10, story.seconds)
        took = curve.first_at(0.9 * free, ended, story.seconds)
        within = curve.rate(ended + WITHIN_SECONDS - 5, ended + WITHIN_SECONDS + 5) / free
        little = free * LATENCY_MS / 1000 / PARALLELISM
        shown = "never" if took is None else round(took, 2)
        findings.add(story.name, median, f"{throttled:.2%}", free, little, shown, f"{within:.0%}")
        summary[story.name] = {
            "median_in_flight": median, "throttled_share": throttled, "free_per_second": free,
            "seconds_to_90_percent": took, "share_at_30_s": within,
        }  # fmt: skip
        if number == 0:
            _draw(curve, story).write(RESULTS / "flow_control.svg")
    findings.summary = summary
    findings.notes += [
        f"Calls of {LATENCY_MS} ms, one a record, `parallelism: {PARALLELISM}`; counted by the function. The "
        f"median is that of the last {JUDGED_SECONDS:.0f} s of throttling, by time; throttled are calls of "
        "the whole minute, those by which the worker found the limit among them.",
        "Free is the rate of the last 10 s. `s to 90%`: from the release until 2 s had 90% of it; the last "
        "column is the rate from 25 to 35 s after the release.",
    ]
    return findings


def _measure(broker: Broker, story: Story) -> Curve:
    source, target = broker.make_topic("in"), broker.make_topic("out-flow")
    most = LIMIT * LIMITED_SECONDS + PARALLELISM * (story.before_seconds + AFTER_SECONDS + 5)
    broker.fill(source, int(most * 1000 / LATENCY_MS))
    with ExitStack() as stack:
        url = stack.enter_context(lambda_stub())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-bench-")))
        call = {"functionName": "f", "parallelism": PARALLELISM}
        app = calling_app(folder / "app", broker, (source, target), url, call, {})
        ask(url, "/config", {"functions": {"f": story.steps[0][1]}})
        stack.enter_context(program(worker_command(app), folder / "log"))
        _until_called(url, folder / "log")
        ask(url, "/config", {"functions": {"f": {**FREE, "timeline": story.steps}}})
        ask(url, "/reset", {})
        time.sleep(story.seconds + 1)
        history = ask(url, "/history")["f"]
    for topic in (source, target):
        broker.delete_topic(topic)
    return Curve(history["window_seconds"], history["windows"])


def _until_called(url: str, log: Path) -> None:
    deadline = time.monotonic() + 90
    while not ask(url, "/stats")["functions"]["f"]["calls"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the function was never called:\n{log.read_text()[-2_000:]}")
        time.sleep(0.05)


def ask(url: str, path: str, body: Any = None) -> Any:
    """The stub's answer to a request of its own API."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{url}{path}", data=data, timeout=20) as answer:
        return json.loads(answer.read())


def _draw(curve: Curve, story: Story) -> Picture:
    """Calls in flight as the function saw them, its limit, and what it throttled."""
    seconds = curve.window_seconds
    running = [
        (
            (place + 0.5) * seconds,
            sum(int(level) * part for level, part in window["levels"].items()) / seconds,
        )
        for place, window in enumerate(curve.windows)
    ]
    throttled = [((place + 0.5) * seconds, window["throttled"]) for place, window in enumerate(curve.windows)]
    began, ended = story.before_seconds, story.before_seconds + LIMITED_SECONDS
    limit = [(began, float(LIMIT)), (ended, float(PARALLELISM)), (story.seconds, float(PARALLELISM))]
    return Picture(
        f"One worker, a function that takes {LIMIT} calls at a time for {LIMITED_SECONDS:.0f} s",
        "seconds",
        [
            Line("calls in flight", running, "#1f6fb4"),
            Line("what may be in flight", limit, "#888888", is_stepped=True),
        ],
        Line(f"throttled in {seconds:g} s", throttled, "#d62728"),
    )
