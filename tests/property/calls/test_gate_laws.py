"""`partitionBy`: calls of one value never overlap, its documents keep their order, none is forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workers.calls.gate import Gate

Item = tuple[int, int]
STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "enter", "leave", "drop"]), st.integers(0, 3)), max_size=120
)


@given(steps=STEPS)
def test_one_at_a_time_in_order_and_none_forgotten(steps: list[tuple[str, int]]) -> None:
    """Whatever comes and ends when."""
    gate: Gate[Item] = Gate()
    running: dict[int, Item] = {}
    begun: list[Item] = []
    dropped: set[Item] = set()
    came: list[Item] = []

    def begin(value: int, item: Item) -> None:
        assert value not in running, "two calls of one value at once"
        running[value] = item
        begun.append(item)

    for number, (step, value) in enumerate(steps):
        item = (value, number)
        if step == "enter":
            came.append(item)
            is_free = value not in running
            assert gate.enter(value, item) is is_free
            if is_free:
                begin(value, item)
        elif step == "leave" and value in running:
            del running[value]
            following = gate.leave(value)
            if following is not None:
                begin(value, following)
        elif step == "drop":
            gone = {item for item in came if item[0] == value and item[1] % 2 == 0}
            dropped |= set(gate.drop(gone.__contains__))
        assert gate.waiting == len(came) - len(begun) - len(dropped)
    while running:
        value = next(iter(running))
        del running[value]
        following = gate.leave(value)
        if following is not None:
            begin(value, following)
    assert gate.waiting == 0
    for value in range(4):
        expected = [item for item in came if item[0] == value and item not in dropped]
        assert [item for item in begun if item[0] == value] == expected


def test_what_may_join_holds_the_value_together_and_the_rest_waits_for_all() -> None:
    """A batch that keeps order has several records of a value; the next call waits until all are done."""
    gate: Gate[str] = Gate()
    assert gate.enter("v", "a")
    assert gate.enter("v", "b", may_join=True)
    assert not gate.enter("v", "c"), "the batch was cut"
    assert not gate.enter("v", "d", may_join=True), "it must not pass c"
    assert gate.first("v") == "c"
    assert gate.leave("v") is None, "b is still called with"
    assert gate.leave("v") == "c"
    assert gate.follow("v") == "d"
    assert gate.leave("v") is None
    assert gate.leave("v") is None
    assert gate.enter("v", "e")
