"""Secrets in files, read again while a worker runs: what was replaced, by connection."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from workers.appfolder.connections import Connection, load_connections
from workers.appfolder.https import HttpsConnection
from workers.appfolder.kafka import KafkaConnection
from workers.appfolder.schema_registry import SchemaRegistryConnection
from workers.appfolder.sources import Sources
from workers.logs import log_event

log = logging.getLogger(__name__)

Stamp: TypeAlias = tuple[int, int, int] | None

# What a client reads once, when it is made.
_TLS: Final = ("ca_file", "certificate_file", "key_file")


@dataclass(frozen=True, slots=True)
class Rotated:
    """`connections` have other values than before; of `renewed` a certificate's file was replaced, at the
    same path."""

    connections: tuple[Connection, ...] = ()
    renewed: tuple[str, ...] = ()


@dataclass(slots=True)
class Rotation:
    """Looks after the files that the connections of an app folder are made of. Blocks: use it in a thread.

    A change counts once the files have stood still for one look: a secret of two files is not taken up
    between them.
    """

    folder: Path
    env: Mapping[str, str]
    now: Mapping[str, Connection]
    _files: frozenset[Path] = frozenset()
    _seen: dict[Path, Stamp] = field(default_factory=dict)
    _tried: dict[Path, Stamp] = field(default_factory=dict)
    _applied: dict[Path, Stamp] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._files = load_connections(Sources(self.folder), self.env).files
        self._seen = self._tried = self._applied = _stamps(self._all_files())

    def look(self) -> Rotated:
        """What was replaced since the last look; nothing while the files cannot be read, which is logged."""
        found = _stamps(self._all_files())
        if found != self._seen or found == self._tried:
            self._seen = found
            return Rotated()
        self._tried = found
        rotated = self._taken({path for path in found if found[path] != self._applied.get(path)})
        if rotated is None:
            return Rotated()
        self._applied = found
        return rotated

    def reread(self, name: str) -> Connection | None:
        """One connection as its files have it now."""
        return load_connections(Sources(self.folder), self.env).found.get(name)

    def _taken(self, changed: set[Path]) -> Rotated | None:
        """None where they cannot be read."""
        sources = Sources(self.folder)
        loaded = load_connections(sources, self.env)
        if sources.problems:
            reason = "; ".join(map(str, sources.problems))
            log_event(log, logging.WARNING, "secrets_not_renewed", reason=reason)
            return None
        self._files = loaded.files
        before, self.now = self.now, loaded.found
        different = tuple(one for name, one in loaded.found.items() if before.get(name) not in (None, one))
        renewed = (name for name, one in loaded.found.items() if changed & set(_certificates([one])))
        return Rotated(different, tuple(renewed))

    def _all_files(self) -> set[Path]:
        return set(self._files) | set(_certificates(self.now.values()))


def _certificates(connections: Iterable[Connection]) -> list[Path]:
    return [
        Path(path)
        for one in connections
        if isinstance(one, KafkaConnection | HttpsConnection | SchemaRegistryConnection)
        for name in _TLS
        if (path := getattr(one.security, name))
    ]


def _stamps(files: Iterable[Path]) -> dict[Path, Stamp]:
    """When each was changed (ns), its size and inode; None for one that is not there. Links are followed: a
    mounted secret of Kubernetes is renewed by switching one."""
    return {path: _stamp(path) for path in files}


def _stamp(path: Path) -> Stamp:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)
