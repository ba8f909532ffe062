"""`penstock topics plan --acls`, which asks no cluster."""

from __future__ import annotations

import pytest

from tests.arch.sources import ROOT
from tests.unit.cli.run_command import penstock

PLAN = ("topics", "plan", "--app", ROOT / "examples" / "orders")


def test_rights_are_a_table_for_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    """Who, what, and why."""
    done = penstock(capsys, *PLAN, "--acls")
    assert done.code == 0
    assert "processor orders" in done.out
    assert "penstock-orders" in done.out


def test_with_a_principal_they_are_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """To be pasted into a shell."""
    done = penstock(capsys, *PLAN, "--acls", "--principal", "User:ada")
    assert "--allow-principal User:ada --operation Read --group penstock-orders" in done.out


def test_programs_get_both(capsys: pytest.CaptureFixture[str]) -> None:
    """Grants and commands."""
    said = penstock(capsys, *PLAN, "--acls", "--json").data
    assert {grant["resource"] for grant in said["grants"]} == {
        "topic",
        "group",
        "cluster",
        "transactional-id",
    }
    assert said["commands"][0] == "# processor orders"


def test_a_principal_alone_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """It would look as if something had been given."""
    done = penstock(capsys, *PLAN, "--principal", "User:ada")
    assert done.code == 2
    assert "--principal: without --acls" in done.err
