"""The parts of `penstock dev` that decide: rates, sums, which sample."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.appfolder.folders import CONNECTIONS, PROCESSOR, write
from workers.appfolder import load_app
from workers.cli.dev import choose_sample
from workers.cli.dev_live import Display, Rates
from workers.cli.dev_summary import MAX_REASONS, Summary, lines


@dataclass(frozen=True)
class Record:
    """A record that was read back."""

    content: bytes | None = b"{}"
    header: list[tuple[str, bytes | None]] | None = None

    def value(self) -> bytes | None:
        return self.content

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return self.header


def letter(reason: str, *, processor: str = "orders", kind: str | None = None) -> Record:
    why = {"processorName": processor, "operatorName": "$match", "errInfo": {"reason": reason}}
    headers: list[tuple[str, bytes | None]] = [("penstock-dead-letter", json.dumps(why).encode())]
    return Record(b"x", headers if kind is None else [("sample-kind", kind.encode()), *headers])


def status(**said: Any) -> dict[str, Any]:
    counts = dict.fromkeys(
        ("in_flight", "lag", "dead_lettered", "dropped", "ignored", "emitted", "consumed", "calls"), 0
    )
    return {"name": "orders", "state": "STARTED", "errors": [], "troubles": [], **counts, **said}


def test_records_add_up_when_each_is_in_one_place() -> None:
    """Results, dead letters and dropped records are what was read."""
    summary = Summary("orders", records=4, dropped=1)
    summary.count_result(Record())
    summary.count_result(Record(None))
    summary.count_dead_letter(letter("bad"))
    assert (summary.results, summary.tombstones, summary.dead_letters) == (2, 1, 1)
    assert summary.adds_up
    assert "adds up" in lines([summary], {})[1]
    summary.records = 5
    assert not summary.adds_up
    assert "DOES NOT ADD UP: 4 found of 5 read" in lines([summary], {})[1]
    assert summary.as_dict()["addsUp"] is False


def test_what_cannot_be_added_up_is_said_not_judged() -> None:
    """A topic by expression or several results of one record."""
    summary = Summary("orders", records=3, unchecked="why")
    assert summary.adds_up
    assert "not added up: why" in lines([summary], {})[1]


def test_dead_letters_are_counted_by_kind_or_by_reason() -> None:
    """Sample records by their kind; others by reason, numbers aside. Other processors' are passed over."""
    summary = Summary("orders")
    for record in (
        letter("negative -1 of A", kind="negative"), letter("negative -2 of B", kind="negative"),
        letter("at offset 5"), letter("at offset 17"), letter("else"), letter("x", processor="other"),
        Record(b"no json"), Record(None),
    ):  # fmt: skip
        summary.count_dead_letter(record)
    assert summary.dead_letters == 5
    assert summary.reasons == {
        ("negative", "$match", ""): (2, "negative -1 of A"),
        ("", "$match", "at offset N"): (2, "at offset 5"),
        ("", "$match", "else"): (1, "else"),
    }
    text = "\n".join(lines([summary], {"negative": 3, "good": 10}))
    assert "2 of 3" in text
    assert "the sample produced 13 records: 10 good, 3 negative" in text


def test_dead_letters_as_documents_are_counted_too() -> None:
    """With dlq.format: document the value says why."""
    summary = Summary("orders")
    summary.count_dead_letter(
        Record(
            json.dumps({"processorName": "orders", "operatorName": "$x", "errInfo": {"reason": "r"}}).encode()
        )
    )
    assert summary.reasons == {("", "$x", "r"): (1, "r")}


def test_the_reasons_that_are_listed_are_bounded() -> None:
    """A hundred different reasons do not make a hundred lines."""
    summary = Summary("orders")
    for number in range(100):
        summary.count_dead_letter(letter("x" * number))
    assert summary.dead_letters == 100
    assert len(summary.reasons) == MAX_REASONS + 1
    assert summary.reasons["", "", "other reasons"][0] == 100 - MAX_REASONS


def test_rates_come_from_the_last_seconds() -> None:
    """Counts that grow are rates; the first moment and a restarted process are none."""
    rates = Rates()
    rates.add(0.0, [status(emitted=100, calls=10)])
    assert rates.of("orders") == (0.0, 0.0)
    rates.add(1.0, [status(emitted=300, calls=20)])
    assert rates.of("orders") == (200.0, 10.0)
    for second in range(2, 8):
        rates.add(float(second), [status(emitted=300, calls=20)])
    assert rates.of("orders") == (0.0, 0.0)
    rates.add(8.0, [status(emitted=5, calls=1)])
    assert rates.of("orders") == (0.0, 0.0)


def test_without_a_terminal_there_are_lines_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """Two moments within two seconds are one line; troubles are in it."""
    with Display() as display:
        display.show([status(lag=1234, troubles=[{"trouble": "broker away", "processes": ["0"]}])], 5)
        display.show([status()], 6)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("orders STARTED (broker away): 0 events/s")
    assert "lag 1,234" in line


def test_the_sample_is_the_connections_or_the_source_topics(tmp_path: Path) -> None:
    """A Sample connection wins; else a source topic called after a data set is fed; else there is none."""
    sample = choose_sample(load_app(write(tmp_path, {}), {}))
    assert sample is not None
    assert (sample.connection_name, sample.topic, sample.data_set) == ("kafka", "orders", "orders")
    text = CONNECTIONS + "data: {type: Sample, connectionName: kafka, topic: orders, seed: 7}"
    sample = choose_sample(load_app(write(tmp_path, {"connections.yaml": text}), {}))
    assert sample is not None
    assert sample.seed == 7
    other = PROCESSOR.replace("topic: orders", "topic: other")
    files = {"processors/orders.yaml": other, "connections.yaml": CONNECTIONS}
    assert choose_sample(load_app(write(tmp_path, files), {})) is None
