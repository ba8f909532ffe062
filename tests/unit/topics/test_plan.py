"""What a plan does about each difference, and how it says so."""

from __future__ import annotations

from typing import Any

import pytest

from topics.admin.plan import Alter, ClusterState, Create, Grow, Refuse, TopicState, as_dict, plan
from topics.contract import TopicContract, parse_contract

ONE_BROKER = ClusterState(brokers=1, max_message_bytes=1_000_000, topics={})


def contract(name: str, **fields: Any) -> TopicContract:
    return parse_contract({"partitions": 3, **fields}, f"topics/{name}.yaml")


def having(brokers: int = 1, **topics: TopicState) -> ClusterState:
    return ClusterState(brokers, 1_000_000, topics)


def test_a_missing_topic_is_created_as_stated() -> None:
    """Partitions and settings of the contract, one copy on one broker."""
    (step,) = plan([contract("orders", retention="1d")], ONE_BROKER)
    assert step == Create("orders", 3, 1, {"retention.ms": "86400000"})
    assert step.describe() == "create orders: 3 partitions, 1 copy, retention.ms=86400000"
    assert as_dict(step)["kind"] == "create"


@pytest.mark.parametrize(("brokers", "copies"), [(1, 1), (2, 2), (3, 3), (9, 3)])
def test_copies_follow_the_brokers(brokers: int, copies: int) -> None:
    """Three where there are three brokers, never more."""
    (step,) = plan([contract("orders")], having(brokers))
    assert isinstance(step, Create)
    assert step.replication == copies


def test_a_topic_grows_and_says_what_that_does_to_keys() -> None:
    """The warning is left out where the records have no key."""
    have = having(orders=TopicState(1, 1, {}), logs=TopicState(1, 1, {}))
    assert [step.describe() for step in plan([contract("orders"), contract("logs", key="none")], have)] == [
        "grow logs from 1 partition to 3",
        "grow orders from 1 partition to 3; a key's new records may go to another partition",
    ]


def test_partitions_never_shrink() -> None:
    """Kafka cannot: the plan refuses."""
    assert plan([contract("orders", cleanup="compact")], having(orders=TopicState(5, 1, {}))) == [
        Refuse("orders", "partitions cannot shrink from 5 to 3")
    ]


def test_only_settings_that_differ_are_changed() -> None:
    """Equal values in another spelling are equal; settings that are not stated stay."""
    state = TopicState(
        3,
        1,
        {
            "cleanup.policy": "delete, compact",
            "min.cleanable.dirty.ratio": "0.50",
            "retention.ms": "1",
            "x": "y",
        },
    )
    wanted = contract(
        "orders",
        cleanup="compact,delete",
        retention="1s",
        config={"min.cleanable.dirty.ratio": 0.5, "new": "v"},
    )
    (step,) = plan([wanted], having(orders=state))
    assert step == Alter("orders", {"retention.ms": ("1", "1000"), "new": (None, "v")})
    assert step.describe() == "alter orders: new from unset to v, retention.ms from 1 to 1000"


def test_a_topic_without_a_contract_is_left_alone() -> None:
    """Nothing is ever deleted."""
    assert plan([], having(orders=TopicState(5, 1, {}))) == []


def test_a_dead_letter_topic_has_room_for_the_largest_record_and_its_reason() -> None:
    """64 KiB above the largest source, whether it is stated, in effect or the broker's default."""
    have = having(big=TopicState(3, 1, {"max.message.bytes": "5000000"}))
    wanted = [
        contract("dead", deadLettersOf=["big", "orders"]),
        contract("orders", config={"max.message.bytes": 7}),
    ]
    assert plan(wanted, have)[0] == Create("dead", 3, 1, {"max.message.bytes": str(5_000_000 + 65_536)})
    assert plan([contract("dead", deadLettersOf="unseen")], have) == [
        Create("dead", 3, 1, {"max.message.bytes": str(1_000_000 + 65_536)})
    ]


def test_a_dead_letter_topic_with_more_room_keeps_it() -> None:
    """The room is a minimum."""
    have = having(dead=TopicState(3, 1, {"max.message.bytes": "9000000"}))
    assert plan([contract("dead", deadLettersOf="orders")], have) == []
    assert plan(
        [contract("dead", deadLettersOf="orders", config={"max.message.bytes": 8_000_000})], have
    ) == [Alter("dead", {"max.message.bytes": ("9000000", "8000000")})]


def test_a_dead_letter_topic_that_is_too_small_is_refused() -> None:
    """A dead letter that does not fit would hold up its partition."""
    wanted = contract("dead", deadLettersOf="orders", config={"max.message.bytes": 1000})
    assert plan([wanted], ONE_BROKER) == [
        Refuse("dead", "max.message.bytes 1000 is under 1065536: dead letters need it")
    ]


def test_dead_letters_of_dead_letters_need_more_room() -> None:
    """Each level adds its own header; a circle is refused."""
    chain = [contract("b", deadLettersOf="a"), contract("c", deadLettersOf="b")]
    sizes = [step.config["max.message.bytes"] for step in plan(chain, ONE_BROKER) if isinstance(step, Create)]
    assert sizes == [str(1_000_000 + 65_536), str(1_000_000 + 2 * 65_536)]
    circle = [contract("b", deadLettersOf="c"), contract("c", deadLettersOf="b")]
    assert [step.kind for step in plan(circle, ONE_BROKER)] == ["refuse", "refuse"]


def test_growing_comes_before_altering() -> None:
    """One topic, two steps, in a fixed order."""
    have = having(orders=TopicState(1, 1, {"retention.ms": "1"}))
    assert [type(step) for step in plan([contract("orders", retention="1d")], have)] == [Grow, Alter]
