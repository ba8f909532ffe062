"""The public face: what is promised is there, and only that."""

from __future__ import annotations

import penstock

PROMISED = {
    "DROPPED", "App", "Invalid", "Many", "PenstockError", "Poison", "Problem", "Program", "Refused",
    "compile_expression", "compile_processor", "compile_stages", "load_app",
}  # fmt: skip


def test_the_promised_names_are_there() -> None:
    """A name that goes, or comes, is a decision: it changes this list."""
    assert set(penstock.__all__) == PROMISED
    assert all(hasattr(penstock, name) for name in PROMISED)


def test_a_program_can_run_a_pipeline_by_itself() -> None:
    """The example of the module's docstring, all the way."""
    program = penstock.compile_stages([{"$match": {"a": 1}}, {"$addFields": {"b": {"$add": ["$a", 1]}}}])
    assert program.segments[0].run([{"a": 1}, {"a": 2}], None) == [{"a": 1, "b": 2}, penstock.DROPPED]
