"""`penstock explain-error`, and the page that is printed from the same table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.run_command import penstock
from workers.adapters.error_file import shipped_errors
from workers.calls.errors_page import as_markdown

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"


def test_an_error_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """What it means, whose fault it is, what is done, what a person can do."""
    ran = penstock(capsys, "explain-error", "EC2UnexpectedException")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "EC2UnexpectedException (Lambda's API, HTTP 502)",
        "  means:    EC2 answered Lambda with an error that Lambda does not know; EC2ErrorCode in the answer "
        "names it.",
        "  scope:    function",
        "  Penstock: retry up to 3 times, then hold",
        "  ran:      no",
        "  you:      Look the EC2ErrorCode up.",
    ]


def test_a_name_with_two_rows_shows_both(capsys: pytest.CaptureFixture[str]) -> None:
    """The message decides between them."""
    ran = penstock(capsys, "explain-error", "runtime.exiterror", "--json")
    assert [one["message"] for one in ran.data] == ["signal: killed", None]
    text = penstock(capsys, "explain-error", "Runtime.ExitError").out
    assert "\n\nRuntime.ExitError (errors of the function)\n" in text


def test_a_misspelt_name_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    """With the nearest one."""
    ran = penstock(capsys, "explain-error", "ResourceConflictExeption")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean ResourceConflictException?" in ran.err


@pytest.mark.parametrize("name", ["TypeError", "xyzzy"])
def test_the_error_of_a_function_is_explained_as_such(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Most dead letters have the name that a function gave its error: no table can list those."""
    ran = penstock(capsys, "explain-error", name)
    assert ran.code == 0
    assert f"{name} is no error of Lambda's or of Penstock's: a function names it itself" in ran.err
    assert ran.out == penstock(capsys, "explain-error", "*").out
    assert ran.out.startswith("* (errors of the function)\n  means:")


def test_a_status_says_that_https_has_a_table_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A 404 of a function holds it; the same of `$https` is its document's, and has the same class."""
    ran = penstock(capsys, "explain-error", "HTTP 404")
    assert "  Penstock: hold\n" in ran.out
    assert ran.out.endswith("  $https:   goes by a table of its own: docs/https.md\n")
    assert "$https" not in penstock(capsys, "explain-error", "TooManyRequestsException").out


@pytest.mark.parametrize("arguments", [[], ["NotSent", "--list"], ["NotSent", "--markdown"]])
def test_it_wants_a_name_or_the_list(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """One of both."""
    ran = penstock(capsys, "explain-error", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "a name or --list" in ran.err


def test_the_list_has_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    """For people and for programs."""
    entries = shipped_errors().entries
    assert len(penstock(capsys, "explain-error", "--list", "--json").data) == len(entries)
    assert len(penstock(capsys, "explain-error", "--list").out.splitlines()) == len(entries) + 1


def test_the_page_is_in_step(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/errors.md is what `penstock explain-error --markdown` prints; run that again after a change."""
    assert PAGE.read_text(encoding="utf-8") == as_markdown(shipped_errors())
    assert penstock(capsys, "explain-error", "--markdown").out == as_markdown(shipped_errors())
