"""The machine line: a number without it says nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import confluent_kafka
import pycurl

PACKAGES: Final = ("confluent-kafka", "orjson", "uvloop", "pycurl", "aiohttp")


def machine(date: str) -> dict[str, Any]:
    """What the figures were measured on, and how busy it was with other work before the run."""
    return {
        "date": date,
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load_before": [round(load, 2) for load in os.getloadavg()],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "librdkafka": confluent_kafka.libversion()[0],
        "libcurl": str(pycurl.version_info()[1]),
        "packages": {name: version(name) for name in PACKAGES},
    }


def machine_line(facts: dict[str, Any]) -> str:
    """The same as one line of text."""
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    load = "/".join(str(load) for load in facts["load_before"])
    return (
        f"{facts['date']}, {facts['cpu']}, {facts['cores']} cores, load before {load}, "
        f"Linux {facts['kernel']}, Python {facts['python']}, librdkafka {facts['librdkafka']}, "
        f"libcurl {facts['libcurl']}, {packages}"
    )


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
