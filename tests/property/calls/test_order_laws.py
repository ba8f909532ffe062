"""In which order results leave: by partition, by key, or as they come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.calls.order import KeyOrder, NoOrder, Order, PartitionOrder


@dataclass(eq=False)
class Item:
    """One record in its place."""

    number: int
    key: bytes | None
    is_ready: bool = False


def by_key() -> Order[Item]:
    return KeyOrder(lambda item: item.key)


def blockers(order: Order[Item], item: Item, before: list[Item]) -> list[Item]:
    """Those of `before` that must leave before `item`."""
    if isinstance(order, PartitionOrder):
        return before
    if isinstance(order, KeyOrder) and item.key is not None:
        return [other for other in before if other.key == item.key]
    return []


@pytest.mark.parametrize("make", [PartitionOrder, NoOrder, by_key])
@given(
    keys=st.lists(st.sampled_from([None, b"", b"a", b"b", b"c"]), max_size=14),
    data=st.data(),
)
def test_what_is_ready_leaves_unless_something_must_leave_before_it(
    make: Callable[[], Order[Item]], keys: list[bytes | None], data: st.DataObject
) -> None:
    """Whatever is taken up and becomes ready when: exactly what the model lets go has left, once, and those
    that must leave before it have left before it."""
    order = make()
    items = [Item(number, key) for number, key in enumerate(keys)]
    ahead = list(items)
    open_items: list[Item] = []
    left: list[Item] = []
    while ahead or open_items:
        waiting = [item for item in open_items if not item.is_ready]
        if ahead and (not waiting or data.draw(st.booleans())):
            open_items.append(ahead.pop(0))
            order.add(open_items[-1])
            continue
        item = data.draw(st.sampled_from(waiting)) if waiting else None
        if item is not None:
            item.is_ready = True
            order.ready(item)
        for leaving in order.released():
            assert leaving.is_ready
            assert not any(other in open_items for other in blockers(order, leaving, items[: leaving.number]))
            open_items.remove(leaving)
            left.append(leaving)
        assert len(order) == len(open_items)
        for stays in open_items:
            held = blockers(order, stays, items[: stays.number])
            assert not stays.is_ready or any(other in open_items for other in held)
    assert sorted(item.number for item in left) == list(range(len(items)))


def test_a_key_is_forgotten_with_its_last_record() -> None:
    """A million keys that came and went are no memory."""
    order: KeyOrder[Item] = KeyOrder(lambda item: item.key)
    for number in range(100):
        item = Item(number, b"%d" % number, is_ready=True)
        order.add(item)
        order.ready(item)
        assert list(order.released()) == [item]
    assert order._by_key == {}
