"""`penstock dlq list`: how many dead letters, of which kind, when."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from workers.cli.dlq_shown import printable
from workers.cli.dlq_source import (
    Chosen,
    Letters,
    ProcessorName,
    Query,
    Topic,
    opened,
    progress_bar,
    target,
)
from workers.cli.dlq_where import Where
from workers.cli.report import AppFolder, AsJson, say, write, write_json
from workers.emit.letter_counts import LetterCounts
from workers.emit.letters import Letter

# A table that is piped into a file is as wide as it needs to be, up to this.
PIPED_WIDTH = 200

app = typer.Typer(add_completion=False)


@app.command(name="list")
def list_letters(
    folder: AppFolder, processor: ProcessorName = None, topic: Topic = None, connection: Chosen = None,
    where: Query = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Count dead letters by class, scope and operator, and by hour.

    Example: penstock dlq list orders --app examples/orders --where '{"errInfo.scope": "function"}'
    """
    query = Where(where)
    counts = LetterCounts()
    with opened(target(folder, processor, topic, connection)) as letters:
        count(letters, query, counts, is_quiet=as_json)
    if as_json:
        write_json({"topic": letters.target.topic, "read": letters.read, **counts.as_data()})
    elif not counts.all.letters:
        write(f"no dead letters in {letters.target.topic}{' match' if where else ''}")
    else:
        show_tables(letters.target.topic, counts)
    say(*letters.remarks(), *query.remarks())


def count(letters: Letters, query: Where, counts: LetterCounts, *, is_quiet: bool) -> None:
    """Go through all letters."""
    with progress_bar(is_hidden=is_quiet) as bar:
        task = bar.add_task(letters.target.topic, total=letters.total())

        def take(letter: Letter) -> None:
            if query.matches(letter):
                counts.add(letter)
            if not letters.read % 500:
                bar.update(task, completed=letters.read)

        letters.each(take)


def show_tables(topic: str, counts: LetterCounts) -> None:
    """Two tables on stdout."""
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=PIPED_WIDTH)
    kinds = Table(title=Text(f"{counts.all.letters} dead letters in {topic}"), title_justify="left")
    kinds.add_column("count", justify="right")
    for heading in ("class", "scope", "operator", "first", "last"):
        kinds.add_column(heading)
    for (name, scope, operator), found in counts.sorted_kinds():
        cells = (name, scope, operator, found.first, found.last)
        kinds.add_row(str(found.letters), *(Text(printable(cell)) for cell in cells))
    hours = Table("hour")
    hours.add_column("count", justify="right")
    for hour, number in sorted(counts.hours.items()):
        hours.add_row(hour, str(number))
    console.print(kinds)
    console.print(hours)
