"""`penstock dlq replay`: dead letters once more through their processor, each once."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from topics.replay import replay_topic, replayed_topic
from workers.adapters.kafka_replay_writer import ReplayWriter
from workers.appfolder import KafkaConnection, ProcessorSpec
from workers.assembly import client_config
from workers.cli.dlq_run import Originals, Pace, Replay, Route
from workers.cli.dlq_source import Letters, Query, Target, kafka, opened, progress_bar, reader_of, target
from workers.cli.dlq_where import Where
from workers.cli.report import EXIT_FAILED, AppFolder, AsJson, say, write, write_json
from workers.cli.topics import make_replay_topics
from workers.emit.letters import Letter
from workers.emit.replay import Ledger
from workers.errors import Invalid, Problem
from workers.ports import SourceRecord

SHOWN_LOST = 20

app = typer.Typer(add_completion=False)


@app.command(name="replay")
def replay(
    processor: Annotated[str, typer.Argument(help="The processor whose dead letters are replayed.")],
    folder: AppFolder, where: Query = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written.")] = False,
    rate: Annotated[str | None, typer.Option("--rate", help="At most so many: 100/s or 30/m.")] = None,
    to_source: Annotated[
        bool, typer.Option("--to-source", help="To the source topic, for all its readers, as new records.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write the original records of dead letters to PROCESSOR.replay, which this processor alone reads.

    What was replayed before is passed over, so the same command may be run again at any time. Exit code 1
    when something could not be replayed.

    Example: penstock dlq replay orders --app DIR --where '{"errInfo.class": "TimedOut"}' --dry-run
    """
    query, pace = Where(where), Pace(rate)
    chosen = target(folder, processor, None, None)
    assert chosen.spec is not None
    source = source_of(chosen, chosen.spec)
    with opened(chosen) as letters:
        is_needed = bool(letters.ends) and not dry_run
        partitions = make_replay_topics(chosen.app, source, chosen.spec) if is_needed else {}
        topic = None if to_source else replay_topic(processor)
        route = Route(chosen.spec, topic, partitions.get(topic or "", 1), replayed_topic(chosen.topic))
        writer = open_writer(source, processor) if is_needed else None
        try:
            with Originals(reader_of(source)) as originals:
                # Only now: what an earlier replay had open was ended when the writer was opened.
                ledger = read_ledger(source, route.ledger_topic, processor)
                run = Replay(route, ledger, originals, writer, pace)
                go_through(letters, query, run, limit, is_quiet=as_json)
        finally:
            if writer is not None:
                writer.close()
    report(letters, query, run, is_dry=dry_run, as_json=as_json)


def source_of(chosen: Target, spec: ProcessorSpec) -> KafkaConnection:
    """The cluster that the processor reads, where both topics of replays are: a transaction has one."""
    source = spec.program.source
    assert source is not None  # load_app refuses a processor without one
    for name in (replay_topic(spec.name), replayed_topic(chosen.topic)):
        if len(name) > 249:
            found = f"{len(name)} characters for the topic {name}"
            raise Invalid([Problem(spec.file, "options.dlq.topic", found, "at most 249: a shorter name")])
    return kafka(chosen.app, source.connection)


def open_writer(source: KafkaConnection, processor: str) -> ReplayWriter:
    """From here on an older replay of this processor can commit nothing more."""
    writer = ReplayWriter(client_config(source, "producer"), f"penstock-replay-{processor}")
    writer.open()
    return writer


def read_ledger(source: KafkaConnection, topic: str, processor: str) -> Ledger:
    """What was replayed of this processor. An entry without a value was taken back by somebody."""
    ledger, mine = Ledger(), f"{processor}/".encode()

    def take(record: SourceRecord) -> None:
        key = record.key() or b""
        if key.startswith(mine):
            (ledger.take_back if record.value() is None else ledger.add)(key)

    with reader_of(source) as reader:
        reader.read({}, reader.ends([topic]), take)
    return ledger


def go_through(letters: Letters, query: Where, run: Replay, limit: int | None, *, is_quiet: bool) -> None:
    """All letters up to the ends, or `limit` of them."""
    with progress_bar(is_hidden=is_quiet) as bar:
        task = bar.add_task(letters.target.topic, total=letters.total())

        def take(letter: Letter) -> None:
            if query.matches(letter):
                run.take(letter, limit)
            if not letters.read % 100:
                bar.update(task, completed=letters.read)

        letters.each(take)
        run.flush()


def report(letters: Letters, query: Where, run: Replay, *, is_dry: bool, as_json: bool) -> None:
    """The summary. Exits with 1 when a letter could not be replayed."""
    to = run.route.topic or ", ".join(run.route.sources)
    found: dict[str, Any] = {
        "read": letters.read, "matched": run.matched, "alreadyReplayed": run.skipped,
        "written": run.written, "to": to, "dryRun": is_dry, "notReplayable": run.lost,
    }  # fmt: skip
    if as_json:
        write_json(found)
    else:
        verb = "would be written" if is_dry else "written"
        write(f"{letters.read} read, {run.matched} matched, {run.skipped} already replayed, "
              f"{run.written} {verb} to {to}, {len(run.lost)} not replayable")  # fmt: skip
    say(*letters.remarks(), *query.remarks())
    say(*(f"not replayable: {line}" for line in run.lost[:SHOWN_LOST]))
    if len(run.lost) > SHOWN_LOST:
        say(f"and {len(run.lost) - SHOWN_LOST} more; --json has them all")
    if run.lost:
        raise typer.Exit(EXIT_FAILED)
