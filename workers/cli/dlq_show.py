"""`penstock dlq show`: dead letters whole."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from workers.cli.dlq_shown import as_data, as_lines
from workers.cli.dlq_source import (
    Chosen,
    Enough,
    ProcessorName,
    Query,
    Topic,
    opened,
    place_of,
    target,
)
from workers.cli.dlq_where import Where
from workers.cli.report import AppFolder, AsJson, say, write, write_json
from workers.emit.letters import Letter

app = typer.Typer(add_completion=False)


@app.command(name="show")
def show(
    folder: AppFolder, processor: ProcessorName = None, topic: Topic = None, connection: Chosen = None,
    where: Query = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 10,
    offset: Annotated[str | None, typer.Option("--offset", help="The one at partition:offset.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print dead letters: why, the document at the failing stage, and the original key, value and headers.

    Example: penstock dlq show orders --app examples/orders --where '{"errInfo.class": "TimedOut"}' --limit 1
    """
    query = Where(where)
    place = place_of(offset)
    found: list[dict[str, Any]] = []
    shown = 0
    with opened(target(folder, processor, topic, connection), place) as letters:

        def take(letter: Letter) -> None:
            nonlocal shown
            if not query.matches(letter):
                return
            if as_json:
                found.append(as_data(letter))
            else:
                write(*([""] if shown else []), *as_lines(letter))
            shown += 1
            if shown == limit:
                raise Enough

        letters.each(take)
    if as_json:
        write_json(found)
    elif not shown:
        write(f"no dead letters in {letters.target.topic}{' match' if where else ''}")
    if shown == limit and place is None:
        say(f"note: {limit} are shown; --limit shows more")
    say(*letters.remarks(), *query.remarks())
