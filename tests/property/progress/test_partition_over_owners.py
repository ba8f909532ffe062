"""One partition over many owners: nothing is lost, skipped or out of order; and planted bugs are found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.property.progress.partition_machine import (
    MACHINES,
    KeyMachine,
    NoOrderMachine,
    PartitionMachine,
    explore,
)
from workers.calls.order import KeyOrder, PartitionOrder
from workers.engine.partition import PartitionRun
from workers.model import Runs
from workers.progress import offset_map
from workers.progress.frontier import Frontier, Span

# Of 20 runs each, the middle one found the hardest of these bugs after 219 examples, the easiest after 7.
ENOUGH_EXAMPLES = 5_000


@pytest.mark.parametrize("machine", MACHINES)
def test_whatever_becomes_of_its_owners(machine: type[PartitionMachine]) -> None:
    """Polls, calls, acks, commits, revocations and crashes in any order."""
    explore(machine, settings.default.max_examples if settings.default else 50)
    assert issubclass(machine, PartitionMachine)


def last_open(span: Span) -> int:
    """Planted: the frontier goes past the first open record to the last one."""
    return span.offsets[max(span._marks.rfind(0), 0)]


def leaves_early(order: PartitionOrder[Any]) -> Iterator[Any]:
    """Planted: whoever is ready leaves, wherever it stands."""
    for item in [item for item in order._waiting if item.is_ready]:
        order._waiting.remove(item)
        yield item


def overtakes(order: KeyOrder[Any], item: Any) -> None:
    """Planted: an item that is ready does not look at those before it."""
    order._by_key[order._key(item) or b""].remove(item)
    order._leaving.append(item)


def forgets_one(offset: int, runs: Runs) -> str:
    """Planted: a bitmap that begins one offset too low."""
    return BITMAP(offset + 1, tuple((start + 1, stop + 1) for start, stop in runs[:-1]) + runs[-1:])


def bridges(frontier: Frontier) -> Runs:
    """Planted: two runs with an open record between them become one."""
    runs = SETTLED(frontier)
    return ((runs[0][0], runs[-1][1]),) if len(runs) > 1 else runs


def forgets_attempts(_run: PartitionRun, _slot: Any, _at: int) -> None:
    """Planted: the attempts of earlier owners are not taken up."""


BITMAP, SETTLED = offset_map._bitmap, Frontier.settled
PLANTED: dict[str, tuple[object, str, object, type[PartitionMachine]]] = {
    "the frontier skips an open record": (Span, "first_open", last_open, PartitionMachine),
    "results leave before their turn": (PartitionOrder, "released", leaves_early, PartitionMachine),
    "a key's results overtake": (KeyOrder, "ready", overtakes, KeyMachine),
    "the map is one offset off": (offset_map, "_bitmap", forgets_one, NoOrderMachine),
    "the map bridges an open record": (Frontier, "settled", bridges, NoOrderMachine),
    "attempts are forgotten": (PartitionRun, "_restore", forgets_attempts, PartitionMachine),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine complains of each."""
    where, name, planted, machine = PLANTED[bug]
    monkeypatch.setattr(where, name, planted)
    with pytest.raises(Exception, match=r".") as found:
        explore(machine, ENOUGH_EXAMPLES, shrinks=False)
    assert isinstance(found.value, AssertionError | KeyError | ValueError), found.value
