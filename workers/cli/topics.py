"""`penstock topics`: contracts against the cluster. The one module that may administer topics."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Annotated, Final, TypeVar

import typer

from topics.admin.apply import AdminFailed, TopicAdmin
from topics.admin.plan import Refuse, Step, as_dict, plan
from topics.contract import TopicContract
from workers.appfolder import App, KafkaConnection, kafka_client_config, load_app
from workers.cli.report import EXIT_FAILED, AppFolder, AsJson, say, write, write_json
from workers.errors import Fatal, Invalid, Problem

app = typer.Typer(no_args_is_help=True, add_completion=False)

Chosen = Annotated[
    str | None, typer.Option("--connection", help="The Kafka connection, where the app folder has several.")
]
T = TypeVar("T")
_NOTHING: Final = "the topics are as their contracts say"


@app.callback()
def topics() -> None:
    """Compare the topics of a cluster with their contracts in topics/, and make them so.

    Example: penstock topics plan --app examples/orders
    """


@app.command(name="plan")
def show_plan(folder: AppFolder, connection: Chosen = None, as_json: AsJson = False) -> None:
    """Say what `apply` would do. Changes nothing.

    Exit code 1 when a contract asks for what cannot be done.

    Example: penstock topics plan --app examples/orders --json
    """
    loaded = load_app(folder, os.environ)
    steps = planned(loaded, choose(loaded, connection))[0]
    if as_json:
        write_json({"steps": [as_dict(step) for step in steps]})
    else:
        write(*([step.describe() for step in steps] or [_NOTHING]))
        say(*(f"note: {name} has no contract" for name in without_contract(loaded)))
    if any(isinstance(step, Refuse) for step in steps):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def apply(folder: AppFolder, connection: Chosen = None, as_json: AsJson = False) -> None:
    """Carry out the plan: create topics, add partitions, set configuration. Never deletes.

    Example: penstock topics apply --app examples/orders
    """
    loaded = load_app(folder, os.environ)
    steps = carry_out(loaded, choose(loaded, connection))
    if as_json:
        write_json({"done": [as_dict(step) for step in steps]})
    else:
        write(*([f"done: {step.describe()}" for step in steps] or [_NOTHING]))


def choose(loaded: App, name: str | None) -> KafkaConnection:
    """The connection that is meant. Raises Invalid when that is not clear."""
    found = {key: one for key, one in loaded.connections.items() if isinstance(one, KafkaConnection)}
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    known = ", ".join(sorted(found)) or "none"
    if name is None:
        what = f"has {len(found)} Kafka connections: {known}"
        raise Invalid([Problem("connections.yaml", "", what, "name one with --connection")])
    if name not in found:
        raise Invalid([Problem("connections.yaml", name, "is no Kafka connection", f"there are: {known}")])
    return found[name]


def planned(
    loaded: App, connection: KafkaConnection, more: Sequence[TopicContract] = ()
) -> tuple[list[Step], TopicAdmin]:
    """The steps, and who carries them out. Raises Fatal when the cluster does not answer."""
    contracts = [*(loaded.contracts[name] for name in sorted(loaded.contracts)), *more]
    admin = TopicAdmin(kafka_client_config(connection, "any"))
    state = _answered(lambda: admin.read(contract.name for contract in contracts))
    return plan(contracts, state), admin


def carry_out(loaded: App, connection: KafkaConnection, more: Sequence[TopicContract] = ()) -> Sequence[Step]:
    """Plan, and apply exactly that, with `more` contracts than the app's. Raises Fatal for what the cluster
    refuses."""
    steps, admin = planned(loaded, connection, more)
    _answered(lambda: admin.apply(steps))
    return steps


def without_contract(loaded: App) -> list[str]:
    """Topics that processors read and write and no contract describes: the cluster's defaults apply."""
    found: set[str] = set()
    for spec in loaded.processors:
        source, sink = spec.program.source, spec.program.sink
        found |= set(source.topics if source is not None else ())
        found |= {
            topic for topic in (sink.topic if sink is not None else None, spec.dead_letters.topic) if topic
        }
    return sorted(found - loaded.contracts.keys())


def _answered(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except AdminFailed as error:
        done = "".join(f"\n  done before: {step.describe()}" for step in error.done)
        raise Fatal(f"{error}{done}") from None
