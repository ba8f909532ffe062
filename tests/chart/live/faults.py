"""What goes wrong, on purpose: each fault, the alerts that it has to raise, and how it is mended."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.chart.live.site import USUAL, USUAL_MODES, Site
from tests.scenarios.world import until

# Durations of 15 s, windows and thresholds to go with them; what is not here is as it ships.
SOON: Final = "15s"
CHANGES: Final[dict[str, dict[str, Any]]] = {
    "PenstockLagGrowing": {"threshold": 30, "window": "30s"},
    "PenstockFrontierStuck": {"threshold": 10},
    "PenstockNoCommits": {"window": "30s"},
    "PenstockDeadLetterRate": {"window": "30s"},
    "PenstockRecordsLost": {"window": "45s"},
    "PenstockProcessorRestarts": {"threshold": 0, "window": "45s"},
    "PenstockTransactionsFenced": {"threshold": 0, "window": "45s"},
    "PenstockFunctionErrors": {"window": "30s"},
    "PenstockFunctionHostRefuses": {"window": "30s"},
    "PenstockFunctionDoesNotLoad": {"window": "45s"},
    "PenstockEngineRestarts": {"threshold": 0, "window": "45s"},
    "PenstockEngineSilent": {"threshold": 10},
}


@dataclass(frozen=True, slots=True)
class Fault:
    """`begin` makes it and returns what mends it."""

    what: str
    alerts: tuple[str, ...]
    begin: Callable[[Site], Callable[[], None]]


def _failing_function(site: Site) -> Callable[[], None]:
    site.mode("price", "throw some")
    return lambda: site.mode("price", USUAL_MODES["price"])


def _too_much_load(site: Site) -> Callable[[], None]:
    site.burst("slow", 60.0)

    def mend() -> None:
        site.burst("slow", 0.0)
        site.mode("slow", "ok")

    return mend


def _failing_processor(site: Site) -> Callable[[], None]:
    site.mode("fragile", "throw")

    def mend() -> None:
        site.mode("fragile", USUAL_MODES["fragile"])
        for name in ("a", "b"):
            site.stop_worker(name)
            site.start_worker(name)

    return mend


def _broken_source(site: Site) -> Callable[[], None]:
    path = site.app / "functions" / "broken.js"
    good = path.read_text()
    path.write_text("exports = (")
    stop = site.call_steadily("broken", 1)

    def mend() -> None:
        path.write_text(good)
        stop()

    return mend


def _too_many_callers(site: Site) -> Callable[[], None]:
    site.mode("narrow", "wait 0.5")
    stop = site.call_steadily("narrow", 280)

    def mend() -> None:
        site.mode("narrow", USUAL_MODES["narrow"])
        stop()

    return mend


def _lost_records(site: Site) -> Callable[[], None]:
    site.mode("keeper", "wait 1")
    site.burst("kept", 40.0)
    until(lambda: site.world.lag("penstock-kept", site.topics["kept"]) > 400, 90, "a backlog")
    site.forget_records("kept")

    def mend() -> None:
        site.burst("kept", USUAL["kept"])
        site.mode("keeper", USUAL_MODES["keeper"])

    return mend


def _two_of_one_slot(site: Site) -> Callable[[], None]:
    # Another folder for the locks of slots: it does not see that the first one is taken.
    elsewhere = tempfile.mkdtemp(dir=site.folder)
    site.start_worker("intruder", TMPDIR=elsewhere)
    return lambda: site.stop_worker("intruder")


def _no_function(site: Site) -> Callable[[], None]:
    path = site.app / "functions" / "price.py"
    source = path.read_text()
    path.unlink()

    def mend() -> None:
        path.write_text(source)

    return mend


def _no_host(site: Site) -> Callable[[], None]:
    site.stop_host()
    return site.start_host


def _killed_engine(site: Site) -> Callable[[], None]:
    site.signal_engine("b", signal.SIGKILL)
    return lambda: None


def _stopped_engine(site: Site) -> Callable[[], None]:
    site.signal_engine("a", signal.SIGSTOP)
    return lambda: site.signal_engine("a", signal.SIGCONT)


def _no_worker(site: Site) -> Callable[[], None]:
    site.stop_worker("lonely")
    return lambda: site.start_worker("lonely")


def _no_broker(site: Site) -> Callable[[], None]:
    site.world.drop_admin()
    site.broker.stop()

    def mend() -> None:
        site.broker.start()

    return mend


# Faults of one act do not hide each other.
ACTS: Final = (
    (
        Fault("a third of the calls of `price` throw", ("PenstockFunctionErrors", "PenstockDeadLetterRate"),
              _failing_function),
        Fault("60 records a second for 20 calls a second", ("PenstockLimiterSaturated", "PenstockLagGrowing"),
              _too_much_load),
        Fault("`onError: fail` and a function that throws",
              ("PenstockProcessorRestarts", "PenstockProcessorFailed"), _failing_processor),
        Fault("a function's source is saved broken", ("PenstockFunctionDoesNotLoad",), _broken_source),
        Fault("280 callers of a function with one process", ("PenstockFunctionHostRefuses",),
              _too_many_callers),
        Fault("records are deleted before they are read", ("PenstockRecordsLost",), _lost_records),
        Fault("a second worker with the same slot", ("PenstockTransactionsFenced",), _two_of_one_slot),
    ),
    (
        Fault("a function is taken out of the host (404)",
              ("PenstockHold", "PenstockHoldSpent", "PenstockFrontierStuck", "PenstockNoCommits"),
              _no_function),
    ),
    (
        Fault("the function host is gone", ("PenstockFunctionHostDown",), _no_host),
        Fault("an engine process is killed", ("PenstockEngineRestarts",), _killed_engine),
        Fault("an engine process is stopped (SIGSTOP)", ("PenstockEngineSilent",), _stopped_engine),
        Fault("the only worker of a processor is gone", ("PenstockProcessorGone",), _no_worker),
    ),
    (Fault("the broker is gone", ("PenstockWorkerNotReady",), _no_broker),),
)  # fmt: skip
