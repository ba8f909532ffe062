"""`penstock explain-error`: what an error means, whose fault it is, and what Penstock does about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from workers.adapters.error_file import shipped_errors
from workers.calls.error_table import OTHER_FUNCTION_ERRORS, ErrorEntry
from workers.calls.errors_page import SECTION_TITLES, as_markdown, reaction_text
from workers.cli.report import AsJson, say, table, write, write_json
from workers.errors import Invalid, Problem
from workers.pipeline.nearest import nearest

app = typer.Typer(add_completion=False)

_OUTCOMES: Final = {"notRun": "no", "unknown": "perhaps", "ran": "yes"}


@app.command()
def explain_error(
    name: Annotated[str, typer.Argument(help="An error, as a dead letter or a log names it.")] = "",
    is_list: Annotated[bool, typer.Option("--list", help="All errors that are known.")] = False,
    is_page: Annotated[
        bool, typer.Option("--markdown", help="All errors, as docs/errors.md has them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what an error of a call means, whose fault it is, what Penstock does about it and what you can do.

    Example: penstock explain-error ResourceConflictException
    """
    errors = shipped_errors()
    if (is_list or is_page) == bool(name):
        raise Invalid([Problem("explain-error", "", "needs a name or --list", "one of both")])
    if is_page:
        write(as_markdown(errors).rstrip("\n"))
        return
    if is_list:
        _print_list(errors.entries, as_json)
        return
    found = errors.find(name)
    close = "" if found else nearest(name, errors.names())
    if close:
        raise Invalid([Problem("explain-error", name, "is no error that Penstock knows",
                               f"did you mean {close}?")])  # fmt: skip
    if not found:
        say(f"{name} is no error of Lambda's or of Penstock's: a function names it itself. Of such:")
        found = errors.find(OTHER_FUNCTION_ERRORS)
    if as_json:
        write_json([one.as_dict() for one in found])
        return
    for number, entry in enumerate(found):
        write(*([""] if number else []), *_lines(entry))


def _print_list(entries: tuple[ErrorEntry, ...], as_json: bool) -> None:
    if as_json:
        write_json([one.as_dict() for one in entries])
        return
    rows = [(_title(one), one.scope, reaction_text(one), one.means) for one in entries]
    write(*table(("error", "scope", "reaction", "meaning"), rows))


def _title(entry: ErrorEntry) -> str:
    return f"{entry.name} ({entry.message})" if entry.message else entry.name


def _lines(entry: ErrorEntry) -> Iterator[str]:
    status = f", HTTP {entry.status}" if entry.status else ""
    yield f"{_title(entry)} ({SECTION_TITLES[entry.section]}{status})"
    facts: dict[str, Any] = {
        "means": entry.means,
        "scope": entry.scope,
        "Penstock": reaction_text(entry),
        "ran": _OUTCOMES[entry.outcome],
        "limiter": entry.limiter,
        "at start": "refused, where preflight finds it" if entry.is_refused_at_start else None,
        "you": entry.do,
        "$https": "goes by a table of its own: docs/https.md" if entry.section == "statuses" else None,
    }
    for label, text in facts.items():
        if text:
            yield f"  {label + ':':<10}{text}"
