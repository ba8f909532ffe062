"""What a worker's environment changes in its processors: how long they drain, how they keep partitions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from workers.appfolder import App, KafkaConnection, ProcessorSpec
from workers.errors import Invalid, Problem
from workers.settings import EngineSettings, ServiceSettings

# A static member that comes back within this time finds its partitions: a pod is replaced in some 30 s.
STATIC_SESSION_MS = 60_000


def engine_settings(service: ServiceSettings) -> EngineSettings:
    """The engine's, with the drain of the environment for processors that say nothing."""
    drain = service.drain_timeout_seconds
    usual = EngineSettings()
    return replace(
        usual, drain_timeout_seconds=drain, revoke_drain_seconds=min(drain, usual.revoke_drain_seconds)
    )


def check_service(app: App, specs: Sequence[ProcessorSpec], service: ServiceSettings) -> None:
    """Raises Invalid: a processor that drains for longer than the worker lives on, a static member under the
    protocol that would refuse its successor after a crash."""
    problems: list[Problem] = []
    most = service.drain_timeout_seconds
    for spec in specs:
        drain = spec.options.drain_timeout
        if drain is not None and drain > most:
            problems.append(
                Problem(
                    spec.file,
                    "options.drainTimeout",
                    f"{drain:g} s, and the worker ends after {most:g} s",
                    f"at most that, or PENSTOCK_DRAIN_TIMEOUT={drain:g}s",
                )
            )
    named = {spec.program.source.connection for spec in specs if spec.program.source is not None}
    for name in sorted(named if service.is_static_member else ()):
        connection = app.connections[name]
        if isinstance(connection, KafkaConnection) and connection.group_protocol == "consumer":
            problems.append(
                Problem(
                    "connections.yaml",
                    f"{name}.groupProtocol",
                    "consumer with PENSTOCK_STATIC_MEMBERSHIP",
                    "classic or auto: the other protocol turns away a crashed member's successor",
                )
            )
    if problems:
        raise Invalid(problems)


def limits_name(service: ServiceSettings, app: App, process: int) -> str:
    """The name of what a process keeps of its limits: of another app folder they say nothing."""
    folder = hashlib.sha256(str(app.folder.resolve()).encode()).hexdigest()[:8]
    return f"{service.release}-{folder}-{process}"


def static_member(service: ServiceSettings, process: int, processor: str) -> dict[str, Any]:
    """librdkafka settings of a consumer that keeps its partitions over a restart; empty for others. The
    connection's own settings win."""
    if not service.is_static_member:
        return {}
    return {
        "group.instance.id": f"{service.release}-{service.slot}-{process}-{processor}",
        "session.timeout.ms": STATIC_SESSION_MS,
    }
