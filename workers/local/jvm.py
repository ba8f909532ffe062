"""The Java command line of the broker, and the class archive that halves its start."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.local.distribution import Distribution
from workers.local.java import Java

# 64 MB each: the newest for each of a few virtual environments is enough.
ARCHIVES_KEPT: Final = 3
# Ten times the CPU seconds that it took here.
DUMP_SCRIPT: Final = (
    "partial=$1 archive=$2 classes=$3; shift 3; ulimit -t 70; "
    '( nice -n 19 "$@" && mv -f "$partial" "$archive"; rm -f "$partial" "$classes" ) &'
)
# These would change the flags of a JVM whose start was measured, or print into its output.
INJECTED_OPTIONS: Final = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH")


@dataclass(frozen=True, slots=True)
class Jvm:
    """One Java with Kafka on its class path.

    Measured here on two cores: format and start take 3.3 s from the jars, 1.4 s with a class archive
    (java.base and Kafka's 8,000 classes parsed beforehand). The archive is dumped from the list of classes
    that the first start loaded; Java checks it against itself and the jars and goes on without it when they
    differ.
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
            str(self.java.launcher), "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xlog:disable",
            "-Djava.awt.headless=true", "-cp", self.distribution.class_path,
        ]  # fmt: skip

    def dump_archive(self, class_list: Path) -> None:
        """Begin to make the archive from the list that a running broker writes; returns at once.

        A child of the lowest priority does it, in 7 s of one core, whether this process goes on or ends.
        Where another process makes the same archive nothing is done: only time depends on it.
        """
        archive = self.archive
        with contextlib.suppress(BlockingIOError), archive.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if archive.exists():
                return
            prune(archive)
            partial, whole_lines = archive.with_suffix(".partial"), archive.with_suffix(".classes")
            text = class_list.read_text(errors="replace")
            whole_lines.write_text(text[: text.rfind("\n") + 1])  # the broker may be in mid-line
            dump = [
                *self._start(), "-Xshare:dump",
                f"-XX:SharedClassListFile={whole_lines}", f"-XX:SharedArchiveFile={partial}",
            ]  # fmt: skip
            # The shell leaves its background job to init and ends; the job inherits the lock and so holds it.
            subprocess.run(  # noqa: S603 - the Java that we found
                ["/bin/sh", "-c", DUMP_SCRIPT, "sh", str(partial), str(archive), str(whole_lines), *dump],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False,
                env=clean_environment(os.environ), start_new_session=True, pass_fds=(lock.fileno(),),
            )  # fmt: skip


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a JVM without the variables that inject options into every Java."""
    return {name: value for name, value in environment.items() if name not in INJECTED_OPTIONS}


def prune(newest: Path) -> None:
    """Remove all archives beside `newest` but the last few."""
    others = sorted(
        (file for file in newest.parent.glob("classes-*.jsa") if file != newest),
        key=lambda file: file.stat().st_mtime,
        reverse=True,
    )
    for file in others[ARCHIVES_KEPT - 1 :]:
        file.unlink(missing_ok=True)
