"""What a worker's environment says of its processors: the drain, and static membership."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.appfolder.folders import write
from workers.appfolder import load_app
from workers.assembly.service import STATIC_SESSION_MS, check_service, engine_settings, static_member
from workers.errors import Invalid
from workers.settings import ServiceSettings

DRAINS = "options: {drainTimeout: 40s}\npipeline:\n  - $source: {connectionName: kafka, topic: t}\n"
CONNECTIONS = "kafka: {type: Kafka, bootstrapServers: 'kafka:9092', groupProtocol: consumer}\n"


def check(folder: Path, files: dict[str, str], service: ServiceSettings) -> None:
    app = load_app(write(folder, {"connections.yaml": CONNECTIONS, **files}), {})
    check_service(app, app.processors, service)


def test_processors_drain_as_long_as_the_environment_says() -> None:
    """And give moving partitions no longer than that."""
    long, short = (engine_settings(ServiceSettings(drain_timeout_seconds=seconds)) for seconds in (90.0, 2.0))
    assert (long.drain_timeout_seconds, long.revoke_drain_seconds) == (90.0, 5.0)
    assert (short.drain_timeout_seconds, short.revoke_drain_seconds) == (2.0, 2.0)


def test_a_processor_that_drains_for_longer_than_its_worker_is_refused(tmp_path: Path) -> None:
    """Its calls would be cut off; the message says what to set."""
    processor = {"processors/orders.yaml": DRAINS + "  - $emit: {connectionName: kafka, topic: o}\n"}
    with pytest.raises(
        Invalid, match=r"orders\.yaml: options\.drainTimeout: 40 s.*PENSTOCK_DRAIN_TIMEOUT=40s"
    ):
        check(tmp_path, processor, ServiceSettings())
    check(tmp_path, processor, ServiceSettings(drain_timeout_seconds=40.0))


def test_static_members_are_refused_under_the_protocol_that_fails_them(tmp_path: Path) -> None:
    """A crashed one's successor would be turned away."""
    service = ServiceSettings(is_static_member=True, slot="orders-0")
    with pytest.raises(Invalid, match=r"kafka\.groupProtocol: consumer with PENSTOCK_STATIC_MEMBERSHIP"):
        check(tmp_path, {}, service)
    check(tmp_path, {}, ServiceSettings())


def test_a_static_member_is_named_by_release_slot_and_process() -> None:
    """So that each consumer of a pod has its own name, the same after a restart; others have none."""
    service = ServiceSettings(release="shop", slot="orders-0", is_static_member=True)
    assert static_member(service, 1, "orders") == {
        "group.instance.id": "shop-orders-0-1-orders", "session.timeout.ms": STATIC_SESSION_MS,
    }  # fmt: skip
    assert static_member(ServiceSettings(slot="orders-0"), 1, "orders") == {}
