"""Which cluster local commands use: KAFKA_BOOTSTRAP's, a detached broker, or one started for them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from workers.local import leftovers
from workers.local.failure import LocalFailure
from workers.local.kafka import STATE_FILE, KafkaServer, is_answering, topics_count
from workers.local.kafka_settings import KafkaSettings

DEFAULT_FOLDER: Final = Path(".penstock/kafka")
GIVEN_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class KafkaStatus:
    """The broker of one data folder. All but `folder` and `running` are None when none runs.

    `detached` brokers were started by `penstock kafka start`; others end with process `starter_pid`.
    `topics` leaves internal topics out and is None when the broker does not answer.
    """

    folder: Path
    running: bool
    address: str | None = None
    pid: int | None = None
    detached: bool | None = None
    starter_pid: int | None = None
    started_at: float | None = None
    topics: int | None = None


@dataclass(frozen=True, slots=True)
class LocalCluster:
    """A cluster to work with: where it is and who provides it."""

    address: str
    origin: Literal["KAFKA_BOOTSTRAP", "detached", "embedded"]
    folder: Path | None = None
    seconds_to_start: float = 0.0


def status(folder: Path = DEFAULT_FOLDER) -> KafkaStatus:
    """What runs in the folder; asks the broker for its topics, waiting 2 s at most."""
    running = leftovers.read(folder / STATE_FILE)
    if running is None or running.broker.find() is None:
        return KafkaStatus(folder, running=False)
    return KafkaStatus(
        folder,
        running=True,
        address=running.address,
        pid=running.broker.pid,
        detached=running.starter is None,
        starter_pid=running.starter.pid if running.starter else None,
        started_at=running.broker.started_at,
        topics=topics_count(running.address),
    )


def start_detached(folder: Path = DEFAULT_FOLDER, settings: KafkaSettings | None = None) -> KafkaStatus:
    """Start a broker that outlives this process; one that runs there already is left as it is.

    Raises LocalFailure as `KafkaServer.start` does.
    """
    before = status(folder)
    if before.running and before.detached and before.topics is not None:
        return before
    try:
        KafkaServer(folder, settings).start_detached()
    except LocalFailure:
        after = status(folder)  # somebody else may have started it while this process waited for the folder
        if not (after.running and after.detached and after.topics is not None):
            raise
        return after
    return status(folder)


def stop_detached(folder: Path = DEFAULT_FOLDER, timeout_seconds: float = 20.0) -> KafkaStatus:
    """End the detached broker of a folder; returns what ran (`running=False`: nothing). Its data stays.

    Raises LocalFailure when the broker belongs to a process that still runs.
    """
    before = status(folder)
    running = leftovers.read(folder / STATE_FILE)
    if running is not None and running.starter is not None and running.starter.find() is not None:
        raise LocalFailure(f"the Kafka in {folder} belongs to process {running.starter.pid} and ends with it")
    if running is not None:
        leftovers.end(running.broker, timeout_seconds)
        (folder / STATE_FILE).unlink(missing_ok=True)
    return before


@contextlib.contextmanager
def broker_from_environment_or_embedded(
    folder: Path = DEFAULT_FOLDER,
    settings: KafkaSettings | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[LocalCluster]:
    """The cluster to use for as long as the context is open.

    KAFKA_BOOTSTRAP, then the folder's detached broker, else a broker that is started now and ends with the
    context.
    Raises LocalFailure when the named cluster does not answer or no broker can be started.
    """
    environment = os.environ if environment is None else environment
    if given := environment.get("KAFKA_BOOTSTRAP"):
        if not is_answering(given, GIVEN_TIMEOUT_SECONDS):
            raise LocalFailure(
                f"KAFKA_BOOTSTRAP={given}: no broker answers there within {GIVEN_TIMEOUT_SECONDS:g} s; "
                "correct the address, or unset the variable to use the embedded Kafka"
            )
        yield LocalCluster(given, "KAFKA_BOOTSTRAP")
        return
    found = status(folder)
    if found.detached and found.topics is not None and found.address is not None:
        yield LocalCluster(found.address, "detached", folder)
        return
    with KafkaServer(folder, settings, environment=environment) as server:
        yield LocalCluster(server.address, "embedded", server.folder, server.seconds_to_start)
