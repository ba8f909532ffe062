"""Carrying out a plan leaves nothing to plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from topics.admin.plan import (
    Alter,
    ClusterState,
    Create,
    Grow,
    Refuse,
    Step,
    TopicState,
    is_visible,
    plan,
    same_value,
)
from topics.contract import TopicContract, parse_contract

NAMES = ("a", "b", "c", "d")
SETTINGS = {
    "retention.ms": st.integers(-1, 10).map(str),
    "max.message.bytes": st.sampled_from(["1000", "90000", "500000"]),
    "cleanup.policy": st.sampled_from(["delete", "compact", "compact,delete", "delete,compact"]),
    "min.cleanable.dirty.ratio": st.sampled_from(["0.5", "0.50", "0.25"]),
}
CONFIGS = st.fixed_dictionaries({}, optional=SETTINGS)
STATES = st.builds(TopicState, st.integers(1, 3), st.just(1), CONFIGS)
CLUSTERS = st.builds(
    ClusterState,
    st.integers(1, 5),
    st.integers(1000, 100_000),
    st.dictionaries(st.sampled_from(NAMES), STATES),
)


@st.composite
def contracts(draw: st.DrawFn) -> list[TopicContract]:
    """Mostly contracts that can be kept: circles of dead letters have a test of their own."""
    made = []
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        earlier = [other for other in NAMES if other < name]
        data = {
            "partitions": draw(st.integers(2, 6)),
            "config": draw(CONFIGS),
            "deadLettersOf": draw(
                st.lists(st.sampled_from(["elsewhere", *earlier]), unique=True, max_size=2)
            ),
        }
        made.append(parse_contract(data, f"topics/{name}.yaml"))
    return made


def carried_out(steps: Sequence[Step], have: ClusterState) -> ClusterState:
    """The cluster after the steps, as Kafka would have it."""
    topics = dict(have.topics)
    for step in steps:
        match step:
            case Create(topic, partitions, replication, config):
                assert topic not in topics
                in_effect = {"max.message.bytes": str(have.max_message_bytes), **config}
                topics[topic] = TopicState(partitions, replication, in_effect)
            case Grow(topic, found, wanted):
                assert topics[topic].partitions == found < wanted
                topics[topic] = replace(topics[topic], partitions=wanted)
            case Alter(topic, changes):
                assert all(topics[topic].config.get(name) == old for name, (old, _new) in changes.items())
                new = {name: value for name, (_old, value) in changes.items()}
                topics[topic] = replace(topics[topic], config={**topics[topic].config, **new})
            case Refuse():
                raise AssertionError("a plan with a refusal is not carried out")
    return replace(have, topics=topics)


@settings(max_examples=300)
@given(want=contracts(), have=CLUSTERS)
def test_carrying_out_a_plan_gives_what_was_wanted_and_nothing_more(
    want: list[TopicContract], have: ClusterState
) -> None:
    """Every contract holds afterwards, the next plan is empty, other topics are untouched."""
    steps = plan(want, have)
    if any(isinstance(step, Refuse) for step in steps):
        return
    after = carried_out(steps, have)
    for contract in want:
        state = after.topics[contract.name]
        assert state.partitions == contract.partitions
        assert all(same_value(state.config.get(name), value) for name, value in contract.settings().items())
    assert plan(want, after) == []
    assert all(is_visible(step, after) and not is_visible(step, have) for step in steps)
    contracted = {contract.name for contract in want}
    assert {name: state for name, state in after.topics.items() if name not in contracted} == {
        name: state for name, state in have.topics.items() if name not in contracted
    }


@settings(max_examples=300)
@given(want=contracts(), have=CLUSTERS)
def test_a_plan_does_not_depend_on_the_order_of_the_contracts(
    want: list[TopicContract], have: ClusterState
) -> None:
    """The same files in another order of listing give the same steps."""
    assert plan(want, have) == plan(list(reversed(want)), have)
