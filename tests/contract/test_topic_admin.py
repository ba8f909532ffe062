"""Plan and apply on a real cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.kafka_fixture import MakeTopic
from topics.admin.apply import AdminFailed, TopicAdmin
from topics.admin.plan import Create, Grow, Refuse, plan
from topics.contract import TopicContract, parse_contract


@pytest.fixture
def admin(kafka: str) -> TopicAdmin:
    return TopicAdmin({"bootstrap.servers": kafka})


def contract(name: str, **fields: Any) -> TopicContract:
    return parse_contract({"partitions": 3, **fields}, f"topics/{name}.yaml")


def test_an_applied_plan_leaves_nothing_to_plan(
    admin: TopicAdmin, make_topic: MakeTopic, topic_name: Callable[[str], str]
) -> None:
    """Create, grow and alter at once; the cluster then holds what the contracts say."""
    old, new, dead = make_topic("old", config={"retention.ms": "1000"}), topic_name("new"), topic_name("dead")
    want = [
        contract(old, retention="1d", cleanup="compact,delete"),
        contract(new, config={"min.cleanable.dirty.ratio": 0.25, "max.message.bytes": 2_000_000}),
        contract(dead, deadLettersOf=new),
    ]
    before = admin.read([old, new, dead])
    assert set(before.topics) == {old}
    steps = plan(want, before)
    assert sorted(step.kind for step in steps) == ["alter", "create", "create", "grow"]
    admin.apply(steps)
    after = admin.read([old, new, dead])
    assert plan(want, after) == []
    assert {name: state.partitions for name, state in after.topics.items()} == {old: 3, new: 3, dead: 3}
    assert after.topics[old].config["retention.ms"] == "86400000"
    assert after.topics[dead].config["max.message.bytes"] == str(2_000_000 + 65_536)


def test_reading_creates_nothing(admin: TopicAdmin, topic_name: Callable[[str], str]) -> None:
    """Asking for a topic on a broker that creates topics by itself does not create it."""
    name = topic_name("asked")
    assert admin.read([name]).topics == {}
    assert admin.read([name]).topics == {}


def test_nothing_of_a_refused_plan_is_done(admin: TopicAdmin, topic_name: Callable[[str], str]) -> None:
    """The steps before the refusal are not carried out either."""
    name = topic_name("never")
    with pytest.raises(AdminFailed, match="refuse b: cannot"):
        admin.apply([Create(name, 1, 1, {}), Refuse("b", "cannot")])
    assert admin.read([name]).topics == {}


def test_a_step_that_the_cluster_refuses_ends_the_plan(
    admin: TopicAdmin, topic_name: Callable[[str], str]
) -> None:
    """The error names the step and what was done before it; what comes after is not tried."""
    first, second, third = topic_name("a"), topic_name("b"), topic_name("c")
    steps = [Create(first, 1, 1, {}), Create(second, 1, 1, {"no.such.setting": "1"}), Create(third, 1, 1, {})]
    with pytest.raises(AdminFailed, match=rf"create {second}.*no\.such\.setting") as failed:
        admin.apply(steps)
    assert failed.value.done == (steps[0],)
    assert set(admin.read([first, second, third]).topics) == {first}


def test_a_cluster_that_changed_meanwhile_is_not_overwritten(
    admin: TopicAdmin, make_topic: MakeTopic
) -> None:
    """Somebody created or grew the topic meanwhile: the step fails instead of doing something else."""
    name = make_topic("changed", partitions=4)
    with pytest.raises(AdminFailed, match="already exists"):
        admin.apply([Create(name, 1, 1, {})])
    with pytest.raises(AdminFailed, match=f"grow {name}"):
        admin.apply([Grow(name, 1, 3)])
    assert admin.read([name]).topics[name].partitions == 4


def test_a_cluster_that_is_away_is_an_error_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """No client exception crosses the border, and what the connection complained of comes with it: a wrong
    wrong password, too, the call alone says `Broker transport failure`."""
    monkeypatch.setattr("topics.admin.apply.TIMEOUT_SECONDS", 3.0)
    said = r"reading the topics of the Kafka at 127\.0\.0\.1:1: .+Connection refused"
    with pytest.raises(AdminFailed, match=said):
        TopicAdmin({"bootstrap.servers": "127.0.0.1:1"}).read(["a"])
