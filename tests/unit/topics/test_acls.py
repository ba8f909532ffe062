"""Rights at the broker: what processors and commands need, and the commands that give it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from topics.admin.acls import CLUSTER, Grant, commands, merged
from workers.appfolder import load_app
from workers.appfolder.rights import Need, needs

CONNECTIONS = """
kafka: {type: Kafka, bootstrapServers: "k:9092"}
other: {type: Kafka, bootstrapServers: "o:9092"}
"""
ORDERS = """
name: orders
pipeline:
  - $source: {connectionName: kafka, topic: [orders, returns]}
  - $emit: {connectionName: other, topic: enriched}
options: {dlq: {connectionName: other, topic: dead}}
"""
BILLING = """
name: billing
pipeline:
  - $source: {connectionName: kafka, topic: orders, config: {group_id: bills}}
  - $emit: {connectionName: kafka, topic: {$concat: ["bills-", $region]}}
options: {delivery: exactly-once, dlq: {connectionName: kafka, topic: billing.dead}}
"""


def found(
    tmp_path: Path, processor: str, connection: str, contracts: dict[str, str] | None = None
) -> list[Need]:
    """The needs of an app folder with one processor."""
    (tmp_path / "connections.yaml").write_text(CONNECTIONS)
    for folder in ("processors", "topics"):
        (tmp_path / folder).mkdir()
    (tmp_path / "processors" / f"{processor.split()[1]}.yaml").write_text(processor)
    for name, text in (contracts or {}).items():
        (tmp_path / "topics" / f"{name}.yaml").write_text(text)
    return list(needs(load_app(tmp_path, {}), connection, "shop", lambda name: f"penstock-{name}"))


def of(all_needs: list[Need], who: str) -> set[tuple[str, str]]:
    """(act, name) of one."""
    return {(need.act, need.name) for need in all_needs if need.who == who}


def test_a_processor_reads_joins_and_nothing_else_where_its_results_go_elsewhere(tmp_path: Path) -> None:
    """Each connection has its own rights."""
    assert of(found(tmp_path, ORDERS, "kafka"), "processor orders") == {
        ("read", "orders"), ("read", "returns"), ("read", "orders.replay"), ("join", "penstock-orders"),
    }  # fmt: skip


def test_the_cluster_of_the_results_takes_results_and_dead_letters(tmp_path: Path) -> None:
    """No group, no source."""
    assert of(found(tmp_path, ORDERS, "other"), "processor orders") == {
        ("write", "enriched"), ("write", "dead"),
    }  # fmt: skip


def test_exactly_once_needs_its_transactional_ids(tmp_path: Path) -> None:
    """All that begin with the release; topics that documents name have no name here."""
    all_needs = found(tmp_path, BILLING, "kafka")
    assert of(all_needs, "processor billing") == {
        ("read", "orders"), ("read", "billing.replay"), ("join", "bills"), ("transact", "shop-"),
        ("write", ""), ("write", "billing.dead"),
    }  # fmt: skip
    (ids,) = (need for need in all_needs if need.act == "transact" and need.who == "processor billing")
    assert ids.is_prefix


def test_topics_are_made_by_who_applies_and_seen_by_who_plans(tmp_path: Path) -> None:
    """Contracts, the sources whose dead letters they take, and the topics of replays."""
    contracts = {"billing.dead": "{partitions: 1, deadLettersOf: [orders]}"}
    all_needs = found(tmp_path, BILLING, "kafka", contracts)
    made = {"billing.dead", "billing.replay", "billing.dead.replayed"}
    seen = {("describe", topic) for topic in {*made, "orders"}} | {("look at brokers", "")}
    assert of(all_needs, "topics plan") == seen
    assert of(all_needs, "topics apply") == seen | {("make", topic) for topic in made}


def test_a_replay_reads_letters_and_writes_its_two_topics(tmp_path: Path) -> None:
    """And originals that were too large for their letters."""
    assert of(found(tmp_path, BILLING, "kafka"), "dlq replay billing") >= {
        ("read", "billing.dead"), ("read", "orders"), ("write", "billing.replay"),
        ("write", "billing.dead.replayed"), ("read", "billing.dead.replayed"),
        ("transact", "penstock-replay-billing"),
    }  # fmt: skip


def test_what_another_right_brings_along_is_left_out() -> None:
    """Kafka's authorizer lets a reader describe; all of one principal stand together."""
    first = Grant("a", "topic", "t", ("Describe", "DescribeConfigs"), "looked at")
    others = [
        Grant("b", "topic", "t", ("Describe",), "too"),
        Grant("a", "topic", "t", ("Read", "AlterConfigs"), "read"),
    ]
    assert merged([first, *others]) == [
        Grant("a", "topic", "t", ("Read", "AlterConfigs"), "looked at, read"),
        Grant("b", "topic", "t", ("Describe",), "too"),
    ]


def test_commands_are_those_of_kafkas_own_tool() -> None:
    """Quoted for a shell; what nobody can name is a comment."""
    lines = commands(
        [
            Grant("processor p", "topic", "in", ("Read",), "$source"),
            Grant("processor p", "topic", "", ("Write",), "documents name in $emit"),
            Grant("processor p", "transactional-id", "shop-", ("Write",), "exactly-once", is_prefix=True),
            Grant("topics plan", "cluster", CLUSTER, ("DescribeConfigs",), "defaults"),
        ],
        "User:CN=penstock,O=Example Inc",
        "k-1:9092,k-2:9092",
    )
    tool = shlex.split(
        "kafka-acls.sh --bootstrap-server k-1:9092,k-2:9092 --command-config admin.properties --add "
        "--allow-principal 'User:CN=penstock,O=Example Inc'"
    )
    assert lines[0] == "# processor p"
    assert shlex.split(lines[1]) == [*tool, "--operation", "Read", "--topic", "in"]
    assert lines[2] == "#   Write on topics that documents name in $emit: add them by hand"
    assert shlex.split(lines[3]) == [
        *tool, "--operation", "Write", "--transactional-id", "shop-", "--resource-pattern-type", "prefixed",
    ]  # fmt: skip
    assert lines[4] == "# topics plan"
    assert shlex.split(lines[5]) == [*tool, "--operation", "DescribeConfigs", "--cluster"]


@pytest.mark.parametrize(("is_prefix", "pattern"), [(True, "prefixed"), (False, "literal")])
def test_grants_for_programs_say_it_in_kafkas_words(is_prefix: bool, pattern: str) -> None:
    """`--json`."""
    grant = Grant("w", "topic", "t", ("Read",), "y", is_prefix)
    assert grant.as_dict() == {
        "who": "w", "resource": "topic", "name": "t", "operations": ["Read"], "why": "y", "pattern": pattern,
    }  # fmt: skip
