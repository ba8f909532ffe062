"""Where exactly-once cannot hold it is refused at start, all reasons at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.appfolder.folders import CONNECTIONS, PROCESSOR, write
from workers.appfolder import load_app
from workers.errors import Invalid

EXACTLY = "options: {delivery: exactly-once}" + PROCESSOR
OTHER = 'other: {type: Kafka, bootstrapServers: "127.0.0.1:9093"}\n'


def refusals(folder: Path) -> list[str]:
    """The problems of an app folder."""
    with pytest.raises(Invalid) as refused:
        load_app(folder, {})
    return [str(problem) for problem in refused.value.problems]


def test_exactly_once_on_one_connection_is_taken(tmp_path: Path) -> None:
    """With acks all, which is what a transaction has; another interval may be set."""
    text = EXACTLY.replace("exactly-once", "exactly-once, commitInterval: 100ms")
    text = text.replace("topic: results", "topic: results, config: {acks: all}")
    app = load_app(write(tmp_path, {"processors/orders.yaml": text}), {})
    assert app.processors[0].options.delivery == "exactly-once"


def test_results_and_dead_letters_on_another_connection_are_refused(tmp_path: Path) -> None:
    """A transaction is one cluster's; both places are named at once, and acks too."""
    text = EXACTLY.replace("exactly-once", "exactly-once, dlq: {connectionName: other}")
    text = text.replace(
        "$emit: {connectionName: kafka, topic: results", "$emit: {connectionName: other, topic: r, acks: 1"
    )
    found = refusals(
        write(tmp_path, {"connections.yaml": CONNECTIONS + OTHER, "processors/orders.yaml": text})
    )
    assert [line.split(":")[1].strip() for line in found] == [
        "pipeline[2].$emit.connectionName", "pipeline[2].$emit.config.acks", "options.dlq.connectionName",
    ]  # fmt: skip
    assert all("exactly-once" in line for line in found)
    assert "the connection of $source" in found[0]


def test_reading_what_is_not_committed_is_refused(tmp_path: Path) -> None:
    """A new owner would take offsets over while their transaction is open."""
    uncommitted = CONNECTIONS.replace(
        '"127.0.0.1:9092"}', '"127.0.0.1:9092", config: {isolation.level: read_uncommitted}}'
    )
    (found,) = refusals(write(tmp_path, {"connections.yaml": uncommitted, "processors/orders.yaml": EXACTLY}))
    assert "isolation.level read_uncommitted" in found
    assert "options.delivery" in found


def test_at_least_once_may_do_all_of_that(tmp_path: Path) -> None:
    """The default delivery asks for nothing."""
    text = PROCESSOR.replace(
        "connectionName: kafka, topic: results", "connectionName: other, topic: r, acks: 1"
    )
    folder = write(tmp_path, {"connections.yaml": CONNECTIONS + OTHER, "processors/orders.yaml": text})
    assert load_app(folder, {}).processors[0].options.delivery == "at-least-once"
