"""A real Prometheus on 127.0.0.1: Debian's, taken out of its package and not installed."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from ruamel.yaml import YAML

from tests.chart.toolchain import APT_SECONDS, kept, run

# The server is asked this often; alerts are judged as often, so that what is measured is theirs.
SCRAPE: Final = "2s"
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0


def program() -> Path:
    """Debian's server, fetched once; apt checks its signature."""

    def make(into: Path) -> None:
        run(["apt-get", "--quiet=2", "-o", "APT::Sandbox::User=", "download", "prometheus"],
            cwd=into, seconds=APT_SECONDS)  # fmt: skip
        (package,) = into.glob("prometheus_*.deb")
        run(["dpkg-deb", "--extract", str(package), str(into / "files")])
        (into / "files" / "usr" / "bin" / "prometheus").rename(into / "prometheus")

    return kept("prometheus-debian", make) / "prometheus"


class Prometheus:
    """One server: scrapes `targets` (job -> addresses), judges `rules` (a rule file's content)."""

    def __init__(
        self, folder: Path, port: int, targets: Mapping[str, Sequence[str]], rules: Mapping[str, Any]
    ) -> None:
        self._folder, self._address = folder, f"127.0.0.1:{port}"
        folder.mkdir()
        dump(folder / "rules.yaml", rules)
        jobs = [
            {"job_name": job, "static_configs": [{"targets": list(found)}]} for job, found in targets.items()
        ]
        settings = {"scrape_interval": SCRAPE, "scrape_timeout": "1s", "evaluation_interval": SCRAPE}
        dump(
            folder / "prometheus.yaml",
            {"global": settings, "rule_files": [str(folder / "rules.yaml")], "scrape_configs": jobs},
        )

    def __enter__(self) -> Self:
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(program()), f"--config.file={self._folder / 'prometheus.yaml'}",
                 f"--storage.tsdb.path={self._folder / 'data'}", f"--web.listen-address={self._address}"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            assert self._process.poll() is None, (self._folder / "log").read_text()[-2_000:]
            assert time.monotonic() < deadline, "Prometheus is not ready"
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(STOP_SECONDS)

    def firing(self) -> dict[str, list[dict[str, Any]]]:
        """The alerts that fire now, by name."""
        found: dict[str, list[dict[str, Any]]] = {}
        for alert in self._ask("alerts")["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert)
        return found

    def names(self) -> set[str]:
        """All metrics that were scraped."""
        return set(self._ask("label/__name__/values"))

    def plot(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series of an expression: labels and [(time, value)]."""
        found = self._ask("query_range", query=expression, start=start, end=end, step=step)
        series: list[dict[str, Any]] = found["result"]
        return series

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self._address}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _ask(self, path: str, **asked: Any) -> Any:
        query = f"?{urllib.parse.urlencode(asked)}" if asked else ""
        with urllib.request.urlopen(f"http://{self._address}/api/v1/{path}{query}", timeout=30) as answer:
            return json.loads(answer.read())["data"]


def dump(path: Path, content: Any) -> None:
    """Write YAML."""
    with path.open("w", encoding="utf-8") as opened:
        YAML(typ="safe").dump(content, opened)
