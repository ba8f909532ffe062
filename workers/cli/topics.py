"""`penstock topics`: contracts against the cluster. The one module that may administer topics."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, TypeVar

import typer

from topics.admin.acls import CLUSTER, Grant, Operation, Resource, commands, merged
from topics.admin.apply import AdminFailed, TopicAdmin
from topics.admin.plan import ClusterState, Create, Refuse, Step, as_dict, plan
from topics.contract import TopicContract
from topics.replay import replay_contracts
from workers.appfolder import App, KafkaConnection, ProcessorSpec, load_app
from workers.appfolder.rights import Act, Need, needs
from workers.assembly import client_config, default_group
from workers.cli.report import EXIT_FAILED, AppFolder, AsJson, say, table, write, write_json
from workers.errors import Fatal, Invalid, Problem
from workers.settings import ServiceSettings

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
def show_plan(
    folder: AppFolder,
    connection: Chosen = None,
    acls: Annotated[
        bool, typer.Option("--acls", help="Say instead which rights are needed; the cluster is not asked.")
    ] = False,
    principal: Annotated[
        str | None, typer.Option(help="With --acls: whom to give them, as commands of kafka-acls.sh.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what `apply` would do. Changes nothing.

    Exit code 1 when a contract asks for what cannot be done.

    Example: penstock topics plan --app examples/orders --json
    """
    loaded = load_app(folder, os.environ)
    chosen = choose(loaded, connection)
    if principal is not None and not acls:
        raise Invalid([Problem("", "--principal", "without --acls", "both, or none")])
    if acls:
        show_rights(loaded, chosen, principal, as_json=as_json)
        return
    steps = planned(loaded, chosen, planned_replays(loaded, chosen))[0]
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
    chosen = choose(loaded, connection)
    steps = carry_out(loaded, chosen, planned_replays(loaded, chosen))
    if as_json:
        write_json({"done": [as_dict(step) for step in steps]})
    else:
        write(*([f"done: {step.describe()}" for step in steps] or [_NOTHING]))


def show_rights(loaded: App, connection: KafkaConnection, principal: str | None, *, as_json: bool) -> None:
    """Which rights whom gets to do its work, and no others."""
    release = ServiceSettings.from_env(os.environ).release
    found = needs(loaded, connection.name, release, default_group)
    grants = merged(_grant(need) for need in found)
    lines = commands(grants, principal or "User:penstock", ",".join(connection.bootstrap_servers))
    if as_json:
        write_json({"grants": [grant.as_dict() for grant in grants], "commands": lines})
    elif principal is not None:
        write(*lines)
    else:
        rows = [
            (grant.who, grant.resource, f"{grant.name}{'*' if grant.is_prefix else ''}" or "(any)",
             " ".join(grant.operations), grant.why)
            for grant in grants
        ]  # fmt: skip
        write(*table(["who", "resource", "name", "operations", "why"], rows))


_RIGHTS: Final[Mapping[Act, tuple[Resource, tuple[Operation, ...]]]] = {
    "read": ("topic", ("Read",)),
    "write": ("topic", ("Write",)),
    "join": ("group", ("Read",)),
    "transact": ("transactional-id", ("Write",)),
    "create": ("topic", ("Create",)),
    "make": ("topic", ("Create", "Alter", "AlterConfigs")),
    "describe": ("topic", ("Describe", "DescribeConfigs")),
    "look at brokers": ("cluster", ("DescribeConfigs",)),
}


def _grant(need: Need) -> Grant:
    resource, operations = _RIGHTS[need.act]
    name = CLUSTER if resource == "cluster" else need.name
    return Grant(need.who, resource, name, operations, need.why, need.is_prefix)


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
    admin = TopicAdmin(client_config(connection, "any"))
    # A dead-letter topic takes what its sources take, which need no contract of their own.
    names = {name for contract in contracts for name in (contract.name, *contract.dead_letters_of)}
    state = _answered(lambda: admin.read(names))
    return plan(contracts, state), admin


def planned_replays(loaded: App, connection: KafkaConnection) -> list[TopicContract]:
    """The topics of replays, for each processor on the connection whose dead-letter topic has a contract:
    whoever plans that one will not want another command to make these."""
    specs = [
        spec
        for spec in loaded.processors
        if spec.dead_letters.topic in loaded.contracts
        and spec.program.source is not None
        and loaded.connections[spec.program.source.connection] == connection
    ]
    if not specs:
        return []
    admin = TopicAdmin(client_config(connection, "any"))
    state = _answered(lambda: admin.read({topic for spec in specs for topic in _sources(spec)}))
    found = [one for spec in specs for one in _replays_of(loaded, spec, state)]
    return list({one.name: one for one in found if one.name not in loaded.contracts}.values())


def make_replay_topics(loaded: App, connection: KafkaConnection, spec: ProcessorSpec) -> Mapping[str, int]:
    """Make the two topics that a replay of this processor writes, if they are missing; partitions by name.
    Raises Fatal when the cluster refuses."""
    admin = TopicAdmin(client_config(connection, "any"))
    state = _answered(lambda: admin.read(_sources(spec)))
    contracts = _replays_of(loaded, spec, state)
    if not contracts:
        raise Fatal(f"{', '.join(_sources(spec))}: none of the topics that {spec.name} reads is there")
    names = {name for contract in contracts for name in (contract.name, *contract.dead_letters_of)}
    there = _answered(lambda: admin.read(names))
    steps = [step for step in plan(contracts, there) if isinstance(step, Create)]
    _answered(lambda: admin.apply(steps))
    made = {step.topic: step.partitions for step in steps}
    return made | {name: found.partitions for name, found in there.topics.items()}


def _replays_of(loaded: App, spec: ProcessorSpec, state: ClusterState) -> list[TopicContract]:
    """The two contracts, those of topics/ if it has some; none without a source whose partitions are
    known."""
    sources = _sources(spec)
    counts = [state.topics[topic].partitions for topic in sources if topic in state.topics]
    counts += [loaded.contracts[topic].partitions for topic in sources if topic in loaded.contracts]
    if not counts:
        return []
    made = replay_contracts(spec.name, sources, max(counts), spec.dead_letters.topic)
    return [loaded.contracts.get(one.name, one) for one in made]


def _sources(spec: ProcessorSpec) -> tuple[str, ...]:
    return spec.program.source.topics if spec.program.source is not None else ()


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
