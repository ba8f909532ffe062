"""The cluster that local commands use, and the broker of `penstock kafka start`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.local.cluster import (
    broker_from_environment_or_embedded,
    start_detached,
    status,
    stop_detached,
)
from workers.local.failure import LocalFailure
from workers.local.kafka import KafkaServer, is_answering, is_open

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

START = "import sys; from pathlib import Path; from workers.local.cluster import start_detached; "


def test_a_detached_broker_outlives_its_starter_until_it_is_stopped(tmp_path: Path) -> None:
    """start, status from another process, start again, use, stop, stop again."""
    subprocess.run(
        [sys.executable, "-c", START + "start_detached(Path(sys.argv[1]))", str(tmp_path)],
        check=True,
        timeout=200,
    )
    try:
        found = status(tmp_path)
        assert (found.running, found.detached, found.starter_pid, found.topics) == (True, True, None, 0)
        assert start_detached(tmp_path) == found
        with pytest.raises(LocalFailure, match=f"a detached Kafka.*pid {found.pid}"):
            KafkaServer(tmp_path).start()
        with broker_from_environment_or_embedded(tmp_path, environment={}) as cluster:
            assert (cluster.origin, cluster.address) == ("detached", found.address)
        assert status(tmp_path).running
    finally:
        stopped = stop_detached(tmp_path)
    assert stopped == found
    assert found.address is not None
    assert not is_open(found.address)
    assert stop_detached(tmp_path).running is False
    assert status(tmp_path).running is False


def test_without_a_named_cluster_one_is_started_and_stopped(tmp_path: Path) -> None:
    """It ends with the context, and `stop` does not take it from its owner."""
    with broker_from_environment_or_embedded(
        tmp_path, environment=dict(os.environ) | {"KAFKA_BOOTSTRAP": ""}
    ) as cluster:
        assert cluster.origin == "embedded"
        assert is_answering(cluster.address)
        with pytest.raises(LocalFailure, match=f"belongs to process {os.getpid()}"):
            stop_detached(tmp_path)
    assert not is_open(cluster.address)


def test_a_named_cluster_is_used(kafka: str, tmp_path: Path) -> None:
    """KAFKA_BOOTSTRAP wins, and nothing is started."""
    with broker_from_environment_or_embedded(tmp_path, environment={"KAFKA_BOOTSTRAP": kafka}) as cluster:
        assert (cluster.origin, cluster.address) == ("KAFKA_BOOTSTRAP", kafka)
    assert list(tmp_path.iterdir()) == []


def test_a_named_cluster_that_does_not_answer_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Never a silent fall-back to the embedded one."""
    monkeypatch.setattr("workers.local.cluster.GIVEN_TIMEOUT_SECONDS", 0.5)
    environment = {"KAFKA_BOOTSTRAP": "127.0.0.1:1"}
    with (
        pytest.raises(LocalFailure, match=r"KAFKA_BOOTSTRAP=127\.0\.0\.1:1: no broker answers"),
        broker_from_environment_or_embedded(tmp_path, environment=environment),
    ):
        pytest.fail("a cluster was given")
