"""Raise every alert on purpose, see it fire and resolve, and draw the dashboards from what was scraped.

    python -m tests.chart.live [--results FOLDER]

Ten minutes at most, on 127.0.0.1, with an embedded Kafka; everything that it starts it stops.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from tests.chart import monitoring
from tests.chart.live import pictures
from tests.chart.live.faults import ACTS, CHANGES, SOON, Fault
from tests.chart.live.prometheus import Prometheus
from tests.chart.live.site import Site, free_port
from tests.chart.toolchain import HELM as HELM_MODULE
from tests.chart.toolchain import ROOT, go_module, run

RESULTS: Final = ROOT / "benchmarks" / "results" / "alerts"
CALM_SECONDS: Final = 40.0
FIRING_SECONDS: Final = 150.0
RESOLVED_SECONDS: Final = 150.0
LOOK_SECONDS: Final = 0.5
# Not a quarter of an hour of somebody's life: what is not seen by then is reported as not seen.
WHOLE_SECONDS: Final = 780.0


@dataclass(slots=True)
class Seen:
    """One alert: seconds from its fault until it fired, and from the mending until it was gone."""

    alert: str
    fault: str
    summary: str = ""
    fired: float | None = None
    resolved: float | None = None


def main(arguments: list[str]) -> int:
    """Exit code 1 when an alert was not seen firing and resolving."""
    parser = argparse.ArgumentParser(prog="python -m tests.chart.live")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="penstock-live-"))
    site = Site(folder / "site")
    try:
        targets = {
            "workers": [f"127.0.0.1:{site.ports[name]}" for name in ("a", "b", "lonely", "intruder")],
            "functions": [f"127.0.0.1:{site.ports['host']}"],
        }
        with Prometheus(folder / "prometheus", free_port(), targets, rules(folder)) as prometheus:
            site.start()
            say(f"ready after {time.monotonic() - started:.0f} s")
            time.sleep(CALM_SECONDS)
            calm = sorted(prometheus.firing())
            say(f"firing before any fault: {calm or 'nothing'}")
            begun = time.time()
            found = [seen for act in ACTS for seen in play(act, site, prometheus, started + WHOLE_SECONDS)]
            missing = unscraped(prometheus)
            report = {
                "calm": calm,
                "notScraped": sorted(missing),
                "empty": draw(prometheus, options.results, begun),
                "seconds": round(time.monotonic() - started),
            }
            write(options.results, found, report)
    finally:
        site.close()
        shutil.rmtree(folder, ignore_errors=True)
    bad = [seen.alert for seen in found if seen.fired is None or seen.resolved is None]
    bad += [name for name in monitoring.alerts() if name not in {seen.alert for seen in found}]
    say(f"not seen firing and resolving: {bad or 'none'}; not scraped: {sorted(missing) or 'none'}")
    return 1 if bad or missing or calm else 0


def rules(folder: Path) -> dict[str, Any]:
    """The rules as the chart renders them, with durations of 15 s from values."""
    alerts = {name: {"for": SOON, **CHANGES.get(name, {})} for name in monitoring.alerts()}
    values = {"monitoring": {"prometheusRule": {"enabled": True, "scoped": False, "alerts": alerts}}}
    path = folder / "values.yaml"
    path.write_text(json.dumps(values))
    chart = ROOT / "helm" / "penstock"
    text = run(
        [str(go_module(HELM_MODULE) / "helm"), "template", "live", str(chart), "-f",
         str(chart / "ci" / "minimal-values.yaml"), "-f", str(path),
         "-s", "templates/prometheusrule.yaml"],
        seconds=60,
    )  # fmt: skip
    spec: dict[str, Any] = YAML(typ="safe").load(StringIO(text))["spec"]
    return spec


def play(act: tuple[Fault, ...], site: Site, prometheus: Prometheus, until: float) -> list[Seen]:
    """Make the faults of one act, wait for their alerts, mend them, wait until all are gone."""
    found: list[Seen] = []
    mends: list[tuple[Fault, Callable[[], None]]] = []
    begun: dict[str, float] = {}
    for fault in act:
        say(f"fault: {fault.what}")
        begun[fault.what] = time.monotonic()
        mends.append((fault, fault.begin(site)))
        found += [Seen(alert, fault.what) for alert in fault.alerts]
    look(prometheus, found, begun, min(time.monotonic() + FIRING_SECONDS, until), _fires)
    mended: dict[str, float] = {}

    def all_right(fault: Fault, mend: Callable[[], None]) -> None:
        mend()
        mended[fault.what] = time.monotonic()
        say(f"mended: {fault.what}")

    # Side by side: to drain a worker takes half a minute, in which other alerts resolve.
    with ThreadPoolExecutor(len(mends)) as pool:
        doing = [pool.submit(all_right, *one) for one in mends]
        look(prometheus, found, mended, min(time.monotonic() + RESOLVED_SECONDS, until), _resolves)
        for one in doing:
            one.result()
    return found


def look(
    prometheus: Prometheus, found: list[Seen], since: Mapping[str, float], until: float,
    judge: Callable[[Seen, Mapping[str, Any], float], bool],
) -> None:  # fmt: skip
    """Ask until `judge` is content with each, or the time is over."""
    open_ones = list(found)
    while open_ones and time.monotonic() < until:
        firing = prometheus.firing()
        now = time.monotonic()
        open_ones = [
            seen
            for seen in open_ones
            if seen.fault not in since or not judge(seen, firing, now - since[seen.fault])
        ]
        time.sleep(LOOK_SECONDS)
    if open_ones:
        say(f"given up: {', '.join(seen.alert for seen in open_ones)}")


def _fires(seen: Seen, firing: Mapping[str, Any], seconds: float) -> bool:
    if seen.alert not in firing:
        return False
    seen.fired = seconds
    seen.summary = firing[seen.alert][0]["annotations"]["summary"]
    say(f"firing after {seconds:.0f} s: {seen.alert}: {seen.summary}")
    return True


def _resolves(seen: Seen, firing: Mapping[str, Any], seconds: float) -> bool:
    if seen.alert in firing:
        return False
    if seen.fired is not None:
        seen.resolved = seconds
        say(f"resolved after {seconds:.0f} s: {seen.alert}")
    return True


def unscraped(prometheus: Prometheus) -> set[str]:
    """Metrics of rules and dashboards that no worker and no host has shown."""
    wanted = {name for rule in monitoring.alerts().values() for name in monitoring.metrics_in(rule["expr"])}
    for dashboard in monitoring.dashboards().values():
        wanted |= {name for text in monitoring.expressions(dashboard) for name in monitoring.metrics_in(text)}
    return wanted - prometheus.names() - {"up"}


def draw(prometheus: Prometheus, results: Path, begun: float) -> dict[str, list[str]]:
    """Write the pictures; the panels of each dashboard that had nothing to show."""
    results.mkdir(parents=True, exist_ok=True)
    end = time.time()
    step = max(2.0, (end - begun) / pictures.POINTS)
    empty: dict[str, list[str]] = {}
    for name, dashboard in monitoring.dashboards().items():
        picture, nothing = pictures.drawn(dashboard, lambda asked: prometheus.plot(asked, begun, end, step))
        (results / f"{name.removesuffix('.json')}.svg").write_text(picture, encoding="utf-8")
        empty[name] = nothing
    return empty


def write(results: Path, found: list[Seen], report: Mapping[str, Any]) -> None:
    """README.md of the results: the table, and what was not there."""
    lines = [
        "# Alerts, raised on purpose",
        "",
        "A run of `python -m tests.chart.live`: Debian's Prometheus scrapes two workers, a third with one",
        "processor of its own and a function host every 2 s, under a steady load. The rules are the chart's",
        f"with `for` of {SOON} and short windows from values. Seconds count from fault and mending.",
        "",
        "| alert | fault | fires after (s) | resolved after (s) | says |",
        "|---|---|---|---|---|",
    ]
    for seen in found:
        fired = "not seen" if seen.fired is None else f"{seen.fired:.0f}"
        resolved = "not seen" if seen.resolved is None else f"{seen.resolved:.0f}"
        lines.append(f"| `{seen.alert}` | {seen.fault} | {fired} | {resolved} | {seen.summary} |")
    empty = "; ".join(
        f"{name.removesuffix('.json')}: {', '.join(titles) or 'none'}"
        for name, titles in report["empty"].items()
    )
    lines += [
        "",
        f"- Firing before any fault: {', '.join(report['calm']) or 'nothing'}.",
        f"- Metrics in rules and dashboards that nobody exposed: {', '.join(report['notScraped']) or 'no'}.",
        f"- Panels without anything to show: {empty}.",
        f"- The whole run took {report['seconds']} s, on {os.cpu_count()} cores shared with other work.",
        "",
        "The dashboards, drawn from the same Prometheus: [overview](overview.svg),",
        "[one processor](processor.svg), [functions](functions.svg).",
    ]
    (results / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def say(line: str) -> None:
    """Progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
