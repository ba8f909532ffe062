"""The command `penstock` itself: which commands there are, and how errors look.

The modules of the commands are imported on use: all together take over a second, `penstock --help` a tenth.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from workers.cli.report import EXIT_BAD_INPUT, EXIT_FAILED, say_problems
from workers.errors import Invalid, PenstockError


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is, and its line in the list of commands."""

    module: str
    summary: str
    hidden: bool = False


COMMANDS: Final = {
    "dev": Entry("dev", "Run an app on this machine: embedded Kafka, function host, worker, sample data."),
    "validate": Entry("validate", "Check an app folder and report everything that is wrong with it."),
    "explain": Entry("explain", "Show how a processor is compiled: segments, call sites, generated code."),
    "explain-error": Entry("explain_error", "Say what an error of a call means, and what is done about it."),
    "eval": Entry("evaluate", "Run a pipeline over a file of documents, without Kafka."),
    "schema": Entry("schema", "Print a JSON Schema of processors or connections, for editors."),
    "worker": Entry("worker", "Run the processors of an app folder."),
    "functions": Entry("functions", "Serve, call and check the functions of an app folder."),
    "topics": Entry("topics", "Compare the topics of a cluster with their contracts, and make them so."),
    "dlq": Entry("dlq", "List, show and replay dead letters."),
    "kafka": Entry("kafka", "Start and stop an embedded Kafka for this machine."),
    "engine": Entry("engine", "One engine process of a worker; the supervisor starts it.", hidden=True),
}


class LazyGroup(TyperGroup):
    """Lists commands by their summaries and imports a command's module only to run it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in that knows name and summary: the list of commands asks for no more."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        return TyperCommand(name=cmd_name, help=entry.summary, hidden=entry.hidden)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command itself, to be run."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        if stand_in is None or name not in COMMANDS:
            return name, stand_in, rest
        module = importlib.import_module(f"workers.cli.{COMMANDS[name].module}")
        command = typer.main.get_command(module.app)
        command.name = name
        return name, command, rest


app = typer.Typer(
    name="penstock", cls=LazyGroup, no_args_is_help=True, add_completion=False, rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


@app.callback()
def penstock() -> None:
    """Stream processing for Kafka with external functions.

    Begin with: [bold]penstock dev --app examples/orders[/bold]
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed while running, 2 bad input."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """The same, returning the exit code."""
    command = typer.main.get_command(app)
    try:
        command.main(args=None if arguments is None else list(arguments), prog_name="penstock")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_FAILED
    except Invalid as error:
        say_problems(error.problems)
        return EXIT_BAD_INPUT
    except (PenstockError, OSError) as error:
        _say(str(error))
        return EXIT_FAILED
    except Exception as error:  # the last resort: a sentence for the user, the traceback when asked for
        if os.environ.get("PENSTOCK_LOG_LEVEL", "").lower() == "debug":
            traceback.print_exc()
        _say(f"unexpected {type(error).__name__}: {error}\n(PENSTOCK_LOG_LEVEL=debug shows where)")
        return EXIT_FAILED
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"penstock: {text}\n")
