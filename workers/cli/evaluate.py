"""`penstock eval`: a pipeline over a file of documents. No Kafka, no calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from topics.codecs import NotADocument, decode_value
from workers.appfolder import FORMATS, BadText, read_text
from workers.appfolder.literals import with_literals
from workers.appfolder.supply import SYSTEM
from workers.cli.explain import explained
from workers.cli.refusals import Refusals
from workers.cli.report import say, write, write_json
from workers.cli.run_pipeline import Answers, Outcome, Runner
from workers.cli.stage_times import MAX_DOCUMENTS, as_data, as_table, stage_times
from workers.errors import Invalid, Problem
from workers.model import Document
from workers.pipeline import compile_stages
from workers.pipeline.program import Program

# Lines held at once: results come out while a long file is still read.
SLICE_LINES = 500
# Stages over the whole list hold it in memory: about 1 GB for a million documents of ten fields.
MAX_WHOLE_LINES = 1_000_000
MAX_LINE_BYTES = 64 * 1024 * 1024

app = typer.Typer(add_completion=False)


@app.command(name="eval")
def evaluate(
    pipeline: Annotated[Path, typer.Option("--pipeline", help="A processor's file, or a list of stages.")],
    documents: Annotated[
        Path | None, typer.Option("--input", help="Documents, one JSON text on each line.")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option("--answers", help='A file with what functions answer: {"score": {"points": 7}, ...}.'),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every outcome as JSON on stdout.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what the pipeline is compiled to, and run nothing.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Measure each stage over the documents, in us a document.")
    ] = False,
) -> None:
    """Run a pipeline over a file of documents, without Kafka. Results go to stdout, refusals to stderr.

    $source and $emit may be left out. Functions are not called: a document that comes to $externalFunction
    is refused there, unless --answers says what that function answers.

    Example: penstock eval --pipeline processors/orders.yaml --input orders.jsonl
    """
    stages, program = load_stages(pipeline)
    if explain:
        write(*explained(program))
        return
    runner = Runner(program, load_answers(answers, program))
    if documents is None or not documents.is_file():
        raise Invalid(
            [Problem(str(documents or "--input"), "", "is no file", "a file with one document on each line")]
        )
    counts: dict[str, int] = {"result": 0, "dropped": 0, "refused": 0}
    refusals = Refusals()
    collected: list[dict[str, Any]] = []
    for outcome in outcomes(runner, documents):
        counts[outcome.kind] += 1
        refusals.count(outcome)
        if as_json:
            collected.append(outcome.as_dict())
        elif outcome.kind == "result":
            write(outcome.text)
        elif outcome.kind == "refused":
            say(f"line {outcome.line}: refused at {outcome.path}: {outcome.reason}")
    times = stage_times(stages, first_documents(documents), runner.answers) if profile else []
    if as_json:
        found = {"outcomes": collected, "counts": counts, "refusals": refusals.as_data()}
        write_json({**found, "profile": as_data(times)} if profile else found)
    else:
        say(*refusals.as_table(), *(as_table(times) if profile else ()))
    if len(program.call_sites) > len(program.calls) and not as_json:
        say("note: $throttle holds nothing back in eval: documents pass it at once")
    if program.calls and answers is None and not as_json:
        say("note: functions are not called by eval; --answers FILE says what they answer")
    if uses_registry(program) and not as_json:
        say("note: eval asks no schema registry: documents are read and shown as JSON. What does not fit a "
            "schema of Avro is refused; a JSON Schema is not looked at")  # fmt: skip
    say(f"{sum(counts.values())} documents: {counts['result']} results, {counts['dropped']} dropped, "
        f"{counts['refused']} refused")  # fmt: skip


def uses_registry(program: Program) -> bool:
    """Whether a worker would read or write by the schemas of a registry."""
    reads = program.source is not None and program.source.schema_registry is not None
    return reads or (program.sink is not None and program.sink.schemas is not None)


def load_stages(file: Path) -> tuple[list[Any], Program]:
    """The stages of a file in any format of processors/, and the program they make. Raises Invalid."""
    name = str(file)
    value = _read(file, "a pipeline")
    if isinstance(value, dict):
        value = value.get("pipeline")
    if not isinstance(value, list):
        raise Invalid(
            [Problem(name, "", "holds no pipeline", "a list of stages, or a document with pipeline")]
        )
    stages, problems = with_literals(value, name, "pipeline")
    try:
        program = compile_stages(stages, file=name, supply=SYSTEM)
    except Invalid as error:
        raise Invalid([*problems, *error.problems]) from None
    if problems:
        raise Invalid(problems)
    return stages, program


def load_answers(file: Path | None, program: Program) -> Answers:
    """What each function answers, by its name. Raises Invalid; names that nothing calls are problems too."""
    if file is None:
        return {}
    value = _read(file, "answers")
    called = {site.function for site in program.calls}
    if not isinstance(value, Mapping):
        raise Invalid(
            [
                Problem(
                    str(file),
                    "",
                    "holds no answers",
                    "a document: function name, or connection of $https -> its answer",
                )
            ]
        )
    unknown = [name for name in value if name not in called]
    if unknown:
        expected = f"the pipeline calls {', '.join(sorted(called)) or 'nothing'}"
        raise Invalid([Problem(str(file), name, "is not called", expected) for name in unknown])
    found, problems = with_literals(dict(value), str(file), "")
    if problems:
        raise Invalid(problems)
    return dict(found)


def outcomes(runner: Runner, documents: Path) -> Iterator[Outcome]:
    """One outcome, or several after an $unwind, for each line that is not empty, in order."""
    lines: list[tuple[int, Any]] = []
    with documents.open("rb") as handle:
        number = 0
        while line := handle.readline(MAX_LINE_BYTES + 1):
            number += 1
            if line.strip():
                lines.append((number, _decoded(line)))
            if len(lines) > MAX_WHOLE_LINES:
                expected = f"at most {MAX_WHOLE_LINES:,} for $group, $sort and their like, which hold all"
                raise Invalid([Problem(str(documents), f"line {number}", "too many documents", expected)])
            if len(lines) >= SLICE_LINES and not runner.is_whole:
                yield from runner.run(lines)
                lines = []
    yield from runner.run(lines)


def first_documents(file: Path) -> list[Document]:
    """The documents to measure with: the first of those that are some."""
    found: list[Document] = []
    with file.open("rb") as handle:
        while (line := handle.readline(MAX_LINE_BYTES + 1)) and len(found) < MAX_DOCUMENTS:
            value = _decoded(line) if line.strip() else None
            if isinstance(value, dict):
                found.append(value)
    return found


def _decoded(line: bytes) -> Any:
    try:
        value = decode_value(line.strip(), MAX_LINE_BYTES)
    except NotADocument as error:
        return error
    if isinstance(value, dict):
        return value
    return NotADocument("the line holds no document", "not-a-document")


def _read(file: Path, what: str) -> Any:
    if file.suffix not in FORMATS:
        raise Invalid([Problem(str(file), "", f"has the ending {file.suffix or 'of no format'}",
                               f"{what} in a file that ends in {' '.join(FORMATS)}")])  # fmt: skip
    try:
        return FORMATS[file.suffix](read_text(file))
    except BadText as error:
        expected = f"expected {error.expected}" if error.expected else ""
        raise Invalid([Problem(str(file), error.place, error.found, expected)]) from None
