"""The jars of Apache Kafka: resolved once by jgo, checked against pinned hashes, cached for later starts."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML

from workers.local.failure import LocalFailure

PINS: Final = Path(__file__).with_name("kafka_jars.yaml")
# A cold download of the 45 MB took 5 to 16 s here; ten minutes lets a slow line finish.
LOCK_WAIT_SECONDS: Final = 600.0
DOWNLOAD_ATTEMPTS: Final = 3
RETRY_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Pins:
    """What is resolved (Maven coordinates as jgo reads them), and the SHA-256 of each jar by file name."""

    endpoint: str
    sha256: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with any pin."""
        return hashlib.sha256(json.dumps([self.endpoint, dict(self.sha256)]).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Distribution:
    """Apache Kafka on this machine: its jars in class path order, and a folder for what is made of them."""

    jars: tuple[Path, ...]
    folder: Path

    @property
    def class_path(self) -> str:
        return os.pathsep.join(map(str, self.jars))


def read_pins(file: Path = PINS) -> Pins:
    """The pins shipped with this package."""
    data = YAML(typ="safe", pure=True).load(file.read_text())
    return Pins(data["endpoint"], dict(data["jars"]))


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where downloads are kept: $PENSTOCK_CACHE, else $XDG_CACHE_HOME/penstock, else ~/.cache/penstock."""
    if named := environment.get("PENSTOCK_CACHE"):
        return Path(named).expanduser().absolute()
    return Path(environment.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute() / "penstock"


def resolve(cache: Path, pins: Pins | None = None) -> Distribution:
    """Kafka's jars, from the cache or downloaded into it. Safe to call from many processes at once.

    Needs no network once it has succeeded. Raises LocalFailure when the download fails or a jar is not
    the pinned one.
    """
    pins = pins or read_pins()
    folder = cache / f"kafka-{pins.fingerprint}"
    listing = folder / "jars.json"
    if (known := _read_listing(listing, pins)) is not None:
        return Distribution(known, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / "lock", LOCK_WAIT_SECONDS):
        if (known := _read_listing(listing, pins)) is None:
            known = _download(folder, pins)
            entries = [{"path": str(jar), "bytes": jar.stat().st_size} for jar in known]
            write_whole(listing, json.dumps(entries, indent=1))
        return Distribution(known, folder)


@contextlib.contextmanager
def exclusive(file: Path, wait_seconds: float) -> Iterator[None]:
    """Hold an advisory lock on `file`; it is freed when the process ends, however it ends.

    Raises LocalFailure when someone else holds it for longer than `wait_seconds`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with file.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise LocalFailure(f"another process has held {file} for {wait_seconds:g} s") from None
                time.sleep(0.05)
        yield


def write_whole(file: Path, text: str, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old or the new text, never a part."""
    partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as handle:
        handle.write(text)
    partial.replace(file)


def _read_listing(listing: Path, pins: Pins) -> tuple[Path, ...] | None:
    """The cached class path when every jar is still there with its size; hashes were checked on download."""
    try:
        entries = json.loads(listing.read_text())
        jars = tuple(Path(entry["path"]) for entry in entries)
        if any(jar.stat().st_size != entry["bytes"] for jar, entry in zip(jars, entries, strict=True)):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return jars if {jar.name for jar in jars} == pins.sha256.keys() else None


def _download(folder: Path, pins: Pins) -> tuple[Path, ...]:
    # Imported here: a start from the cache does not need its 60 ms, and the image has none.
    try:
        import jgo  # noqa: PLC0415
    except ImportError:
        raise LocalFailure(
            "the embedded Kafka is not part of this installation: pip install 'penstock[local]', or name a "
            "cluster in KAFKA_BOOTSTRAP"
        ) from None

    problem = ""
    for attempt in range(DOWNLOAD_ATTEMPTS):
        if attempt:
            time.sleep(RETRY_PAUSE_SECONDS * attempt)
        try:
            environment = jgo.build(pins.endpoint, cache_dir=folder / "jgo")
            jars = tuple(sorted(map(Path, environment.all_jars), key=lambda jar: jar.name))
        except Exception as error:
            # jgo's own, requests', XML's: whatever it was, the same is right, try again and then say so
            problem = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}"
            continue
        if not (problem := differences(jars, pins)):
            return jars
        shutil.rmtree(folder / "jgo", ignore_errors=True)  # linked by a process that was killed half-way
    raise LocalFailure(
        f"downloading Apache Kafka ({pins.endpoint}) failed {DOWNLOAD_ATTEMPTS} times: {problem}; "
        "check the way to Maven Central or name another cluster in KAFKA_BOOTSTRAP"
    )


def differences(jars: tuple[Path, ...], pins: Pins) -> str:
    """What sets the jars apart from their pins, in words; empty when nothing does."""
    names = {jar.name for jar in jars}
    if missing := sorted(pins.sha256.keys() - names):
        return f"missing {', '.join(missing)}"
    if extra := sorted(names - pins.sha256.keys()):
        return f"not pinned: {', '.join(extra)}"
    changed = sorted(jar.name for jar in jars if _sha256(jar) != pins.sha256[jar.name])
    return f"not the pinned contents: {', '.join(changed)}" if changed else ""


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
