"""What the benchmarks build on: the same records for everybody, tables that can be read."""

from __future__ import annotations

import json
from pathlib import Path

import orjson

from benchmarks.machine import machine, machine_line
from benchmarks.orders import orders
from benchmarks.report import Findings, markdown, write


def test_the_same_seed_makes_the_same_records() -> None:
    """Runs of different programs and days compare, since they read the same bytes."""
    assert list(orders(200)) == list(orders(200))
    assert list(orders(200, seed=2)) != list(orders(200))


def test_nine_of_ten_records_pass() -> None:
    """`passes` agrees with what the pipeline's $match looks at."""
    made = list(orders(5_000))
    assert all(order.passes == (orjson.loads(order.value)["channel"] != "test") for order in made)
    assert 0.88 < sum(order.passes for order in made) / len(made) < 0.92


def test_a_table_carries_the_machine_it_was_measured_on(tmp_path: Path) -> None:
    """JSON and Markdown hold the rows, the notes and the machine line with the date that was given."""
    findings = Findings("case", "A title", ("program", "us"), notes=["a note"])
    findings.add("loop", 5.256)
    facts = machine("2026-01-02")
    table = write(findings, facts, tmp_path).read_text()
    assert table == markdown(findings, facts)
    assert "| loop | 5.26 |" in table
    assert table.splitlines()[-1] == machine_line(facts)
    assert machine_line(facts).startswith("2026-01-02, ")
    data = json.loads((tmp_path / "case.json").read_text())
    assert (data["rows"], data["machine"]["date"]) == ([["loop", 5.256]], "2026-01-02")
