"""The Java command line of the broker, and the class archive that halves its start."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.local.distribution import Distribution, exclusive
from workers.local.failure import LocalFailure
from workers.local.java import Java

# 64 MB each: the newest for each of a few virtual environments is enough.
ARCHIVES_KEPT: Final = 3
ARCHIVE_TIMEOUT_SECONDS: Final = 300.0
# These would change the flags of a JVM whose start was measured, or print into its output.
INJECTED_OPTIONS: Final = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH")


@dataclass(frozen=True, slots=True)
class Jvm:
    """One Java with Kafka on its class path.

    Measured here on two cores: format and start take 3.3 s from the jars, 1.4 s with a class archive
    (java.base and Kafka's 8,000 classes parsed beforehand). The archive is dumped from the list of classes that the
    first start loaded; Java checks it against itself and the jars and goes on without it when they differ.
    """

    java: Java
    distribution: Distribution

    @property
    def archive(self) -> Path:
        """The class archive of this very Java (a reinstalled one has another time stamp)."""
        launcher = self.java.launcher
        mark = f"{launcher} {launcher.stat().st_mtime_ns}"
        return self.distribution.folder / f"classes-{hashlib.sha256(mark.encode()).hexdigest()[:12]}.jsa"

    def command(self, options: Sequence[str], main: str, arguments: Sequence[str]) -> list[str]:
        """Run a class of Kafka, with the class archive when there is one."""
        archive = self.archive
        shared = [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto"] if archive.exists() else []
        return [*self._start(), *shared, *options, main, *arguments]

    def recording(self, class_list: Path) -> list[str]:
        """Options that list the loaded classes; none when the archive is there already."""
        return [] if self.archive.exists() else [f"-XX:DumpLoadedClassList={class_list}"]

    def _start(self) -> list[str]:
        # The collector must be the same where the archive is made and used: it holds heap objects too.
        return [
            str(self.java.launcher), "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xlog:disable", "-Djava.awt.headless=true",
            "-cp", self.distribution.class_path,
        ]  # fmt: skip

    def dump_archive(self, class_list: Path, running: threading.Event) -> bool:
        """Make the archive from the list that a running broker writes; takes 7 s of one core, at the lowest priority.

        Gives up without a trace when `running` is cleared, when another process makes it already or when Java
        refuses: the archive saves time and nothing depends on it. Returns whether it is there now.
        """
        archive = self.archive
        try:
            with exclusive(archive.with_suffix(".lock"), 0.0):
                if not archive.exists():
                    self._dump(class_list, archive, running)
                    _prune(archive)
        except (LocalFailure, OSError):
            return False
        return archive.exists()

    def _dump(self, class_list: Path, archive: Path, running: threading.Event) -> None:
        partial, whole_lines = archive.with_suffix(".partial"), archive.with_suffix(".classes")
        text = class_list.read_text(errors="replace")
        whole_lines.write_text(text[: text.rfind("\n") + 1])  # the broker may be in mid-line
        options = [
            "-Xshare:dump",
            f"-XX:SharedClassListFile={whole_lines}",
            f"-XX:SharedArchiveFile={partial}",
        ]
        child = subprocess.Popen(
            ["nice", "-n", "19", *self._start(), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=clean_environment(os.environ), start_new_session=True,
        )  # fmt: skip
        try:
            waited = 0.0
            while child.poll() is None and running.is_set() and waited < ARCHIVE_TIMEOUT_SECONDS:
                try:
                    child.wait(0.1)
                except subprocess.TimeoutExpired:
                    waited += 0.1
            if child.poll() == 0:
                partial.replace(archive)
        finally:
            child.kill()
            child.wait()
            partial.unlink(missing_ok=True)
            whole_lines.unlink(missing_ok=True)


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a JVM without the variables that inject options into every Java."""
    return {name: value for name, value in environment.items() if name not in INJECTED_OPTIONS}


def _prune(newest: Path) -> None:
    others = sorted(
        (file for file in newest.parent.glob("classes-*.jsa") if file != newest),
        key=lambda file: file.stat().st_mtime,
        reverse=True,
    )
    for file in others[ARCHIVES_KEPT - 1 :]:
        file.unlink(missing_ok=True)
