"""Reading the contract of a topic."""

from __future__ import annotations

from typing import Any

import pytest

from topics.contract import ContractInvalid, parse_contract


def test_a_whole_contract_is_read() -> None:
    """Every field; the name is the file's."""
    contract = parse_contract(
        {
            "partitions": 6,
            "retention": "7d",
            "cleanup": "compact,delete",
            "key": "string",
            "schema": "schemas/order.json",
            "deadLettersOf": "orders",
            "config": {"min.insync.replicas": 2, "message.timestamp.type": "CreateTime", "preallocate": True},
            "description": "dead letters",
        },
        "topics/orders.dead.yaml",
    )
    assert (contract.name, contract.partitions, contract.key) == ("orders.dead", 6, "string")
    assert (contract.schema_file, contract.dead_letters_of) == ("schemas/order.json", ("orders",))
    assert contract.settings() == {
        "retention.ms": "604800000",
        "cleanup.policy": "compact,delete",
        "min.insync.replicas": "2",
        "message.timestamp.type": "CreateTime",
        "preallocate": "true",
    }


def test_what_is_not_stated_is_not_set() -> None:
    """A contract of partitions alone leaves the rest to the broker."""
    assert parse_contract({"partitions": 1}, "topics/a.yaml").settings() == {}


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("500ms", "500"), ("90s", "90000"), ("30m", "1800000"), ("2h", "7200000"), ("forever", "-1")],
)
def test_retention_has_units(text: str, milliseconds: str) -> None:
    """From milliseconds to days, and for ever."""
    contract = parse_contract({"partitions": 1, "retention": text}, "topics/a.yaml")
    assert contract.settings() == {"retention.ms": milliseconds}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"partitions": "6"}, "topics/a.yaml: partitions: found '6'; expected: a whole number"),
        ({"partitions": True}, "topics/a.yaml: partitions: found True"),
        ({"partitions": 0}, "topics/a.yaml: partitions: found 0; expected: at least 1"),
        ({}, "topics/a.yaml: partitions: is missing"),
        (
            {"partitions": 1, "partition": 2},
            "topics/a.yaml: partition: unknown key; known are cleanup, config, ",
        ),
        ({"partitions": 1, "dead_letters_of": ["b"]}, "topics/a.yaml: dead_letters_of: unknown key"),
        (
            {"partitions": 1, "retention": 7},
            "topics/a.yaml: retention: found 7; expected: a whole number with a unit",
        ),
        ({"partitions": 1, "retention": "7 days"}, "topics/a.yaml: retention: found '7 days'"),
        ({"partitions": 1, "cleanup": "none"}, "topics/a.yaml: cleanup: found 'none'; expected: 'delete'"),
        ({"partitions": 1, "config": ["a"]}, "topics/a.yaml: config: found ['a']"),
        ({"partitions": 1, "config": {"a": None}}, "topics/a.yaml: config.a: found None"),
        (
            {"partitions": 1, "config": {"max.message.bytes": "1 MB"}},
            "config.max.message.bytes: found '1 MB'",
        ),
        (
            {"partitions": 1, "retention": "1d", "config": {"retention.ms": 5}},
            "topics/a.yaml: config.retention.ms: is set twice; leave one of it and retention out",
        ),
        ({"partitions": 1, "name": "b"}, "topics/a.yaml: name: 'b'; leave it out: the file name says 'a'"),
        (None, "topics/a.yaml: an empty file; a mapping such as {partitions: 6} is needed"),
        ([1], "topics/a.yaml: list [1]; a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(data: Any, said: str) -> None:
    """File, path, what was found and what would be right."""
    with pytest.raises(ContractInvalid) as invalid:
        parse_contract(data, "topics/a.yaml")
    assert said in str(invalid.value)


def test_all_problems_are_said_at_once() -> None:
    """Three mistakes, three problems."""
    with pytest.raises(ContractInvalid) as invalid:
        parse_contract({"partitions": -1, "keys": "string", "cleanup": 1}, "topics/a b.yaml")
    assert sorted(problem.path for problem in invalid.value.problems) == ["", "cleanup", "keys", "partitions"]


@pytest.mark.parametrize(
    "file", ["topics/a/..yaml", "topics/.yaml", f"topics/{'a' * 250}.yaml", "topics/ä.yaml"]
)
def test_a_name_that_kafka_would_refuse_is_refused(file: str) -> None:
    """Before anything is sent to a cluster."""
    with pytest.raises(ContractInvalid, match="the file name makes the topic"):
        parse_contract({"partitions": 1}, file)
