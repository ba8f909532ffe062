"""A hold never loses a document, never forgets one, and ends as the stage says."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.calls.hold import After, Hold, HoldEvent, HoldSettings, HoldState, step

AFTER = st.sampled_from(["onError", "fail", "wait"])


class Doc:
    """A document by its number."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return str(self.number)


def held(after: After = "onError", timeout: float = 300.0, docs: int = 3) -> tuple[Hold[Doc], list[Doc]]:
    """A hold since second 0, for whom it waits."""
    hold: Hold[Doc] = Hold(HoldSettings(timeout, after))
    waiting = [Doc(number) for number in range(docs)]
    assert hold.fault(waiting[0], 0.0, "the function is being updated")
    for doc in waiting[1:]:
        hold.wait(doc)
    return hold, waiting


def probe_times(hold: Hold[Doc], until: float, asked: float | None = None) -> list[float]:
    """When it is probed, if each probe fails at once."""
    times = []
    while (now := hold.next_at()) <= until:
        probe, _ = hold.turn(now)
        if probe is None:
            break
        times.append(now)
        assert hold.fault(probe, now, "still", asked=asked)
    return times


def test_it_is_probed_every_5_to_60_seconds() -> None:
    """With the oldest document each time, which keeps its place."""
    hold, waiting = held("wait")
    assert probe_times(hold, 300.0) == [5.0, 15.0, 35.0, 75.0, 135.0, 195.0, 255.0]
    assert hold.turn(315.0) == (waiting[0], [])


def test_a_probe_comes_no_sooner_than_was_asked() -> None:
    """Retry-After of the failure before it."""
    hold, _ = held("wait")
    assert probe_times(hold, 200.0, asked=45.0) == [5.0, 50.0, 95.0, 140.0, 200.0]


def test_a_probe_that_goes_well_lets_all_go_in_order() -> None:
    """And the next hold begins with short pauses again."""
    hold, waiting = held("wait")
    probe_times(hold, 100.0)
    probe, gone = hold.turn(135.0)
    assert (probe, gone) == (waiting[0], [])
    assert hold.went_well(135.0) == waiting[1:]
    assert (hold.state, hold.is_open, hold.reason, hold.next_at()) == (HoldState.OPEN, True, "", inf)
    assert hold.fault(waiting[0], 200.0, "again")
    assert hold.next_at() == 205.0


def test_calls_that_were_open_when_it_began_say_nothing() -> None:
    """Some of them still go well while a deploy is under way; the rest of them wait, too."""
    hold, waiting = held()
    assert hold.went_well(-1.0) == []
    assert hold.state is HoldState.HELD
    late = Doc(9)
    assert hold.fault(late, 1.0, "same")
    assert hold.next_at() == 5.0
    probe, _ = hold.turn(5.0)
    later = Doc(10)
    assert hold.fault(later, 5.1, "same")
    assert hold.next_at() == inf, "the probe is still out"
    assert probe is waiting[0]
    assert hold.went_well(5.0) == [*waiting[1:], late, later]


def test_given_up_with_on_error_each_document_still_has_its_call() -> None:
    """They go; what fails then is `onError`'s, until a call goes well: the next fault is a hold again."""
    hold, waiting = held("onError", timeout=60.0)
    assert probe_times(hold, 59.0) == [5.0, 15.0, 35.0]
    assert hold.next_at() == 60.0
    assert hold.turn(59.9) == (None, [])
    assert hold.turn(60.0) == (None, waiting)
    assert (hold.state, hold.is_open) == (HoldState.SPENT, True)
    assert not hold.fault(waiting[0], 61.0, "still")
    assert hold.went_well(62.0) == []
    assert hold.state is HoldState.OPEN
    assert hold.fault(waiting[1], 63.0, "again")


@pytest.mark.parametrize("after", ["wait", "fail"])
def test_given_up_with_on_error_holds_anew_what_is_not_on_errors(after: After) -> None:
    """As the worker's refused keys: with a time-out and pauses of its own."""
    hold, waiting = held("onError", timeout=60.0)
    probe_times(hold, 59.0)
    hold.turn(60.0)
    assert hold.fault(waiting[0], 61.0, "the keys expired", after=after)
    assert (hold.state, hold.since, hold.next_at()) == (HoldState.HELD, 61.0, 66.0)
    assert hold.turn(66.0)[0] is waiting[0]
    assert hold.went_well(66.0) == []
    assert hold.state is HoldState.OPEN


def test_given_up_with_fail_nothing_is_let_go() -> None:
    """The processor stops; what waits stays uncommitted."""
    hold, waiting = held("fail", timeout=10.0)
    assert hold.turn(10.0) == (None, [])
    assert (hold.state, hold.is_open, hold.next_at()) == (HoldState.FAILED, False, inf)
    assert hold.fault(Doc(9), 11.0, "late"), "it is not `onError`'s"
    assert hold.went_well(11.0) == []
    assert hold.end()[:3] == waiting


def test_with_wait_it_is_never_given_up() -> None:
    """Days later the function is back."""
    hold, waiting = held("wait", timeout=10.0)
    assert len(probe_times(hold, 86_400.0)) > 1_400
    probe, _ = hold.turn(hold.next_at())
    assert probe is waiting[0]
    assert hold.went_well(90_000.0) == waiting[1:]


def test_an_error_may_say_itself_what_comes_after() -> None:
    """`then: fail` of the error table, whatever the stage says."""
    hold: Hold[Doc] = Hold(HoldSettings(10.0, "wait"))
    assert hold.fault(Doc(0), 0.0, "the afterRestore hook failed", after="fail")
    hold.turn(10.0)
    assert hold.state is HoldState.FAILED


def test_a_probe_whose_partition_moved_away_is_replaced_at_once() -> None:
    """And with nobody left, the next document that comes is called with."""
    hold, waiting = held()
    assert hold.turn(5.0)[0] is waiting[0]
    assert hold.drop(lambda doc: doc.number == 0, 6.0) == [waiting[0]]
    assert hold.turn(6.0)[0] is waiting[1]
    assert hold.drop(lambda _doc: True, 7.0) == [waiting[1], waiting[2]]
    assert hold.turn(7.0) == (None, [])
    assert hold.is_open


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (HoldState.OPEN, HoldEvent.PROBE_DUE),
        (HoldState.OPEN, HoldEvent.GIVEN_UP),
        (HoldState.PROBING, HoldEvent.GIVEN_UP),
        (HoldState.SPENT, HoldEvent.PROBE_DUE),
        (HoldState.FAILED, HoldEvent.EMPTY),
    ],
)
def test_moves_that_are_not_in_the_table_are_our_fault(state: HoldState, event: HoldEvent) -> None:
    """They crash."""
    with pytest.raises(AssertionError, match=f"{event.value} cannot happen while {state.value}"):
        step(state, event)


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["come", "come", "come", "well", "fault", "turn", "drop"]),
        st.floats(0, 70),
        st.integers(0, 3),
    ),
    max_size=150,
)


@given(AFTER, MOVES)
def test_every_document_is_somewhere(after: After, moves: list[tuple[str, float, int]]) -> None:
    """Waiting, being called with, or settled: exactly once, whatever happens in which order. While it is held
    something is due within a minute, or a probe is out."""
    hold: Hold[Doc] = Hold(HoldSettings(120.0, after))
    now, calling, settled, came = 0.0, list[tuple[float, Doc]](), set[int](), 0
    for what, seconds, pick in moves:
        now += seconds
        if what == "come":
            doc, came = Doc(came), came + 1
            if hold.is_open:
                calling.append((now, doc))
            else:
                hold.wait(doc)
        elif what == "turn":
            probe, gone = hold.turn(now)
            calling += [(now, one) for one in ([probe] if probe else []) + gone]
        elif what == "drop":
            dropped = hold.drop(lambda doc, pick=pick: doc.number % 4 == pick, now)  # type: ignore[misc]
            calling = [(began, doc) for began, doc in calling if doc not in dropped]
            settled |= {doc.number for doc in dropped}
        elif calling:
            began, doc = calling.pop(pick % len(calling))
            if what == "well":
                settled.add(doc.number)
                calling += [(now, one) for one in hold.went_well(began)]
            elif not hold.fault(doc, now, "no"):
                settled.add(doc.number)
        places = [doc.number for _, doc in calling]
        assert len(set(places)) == len(places)
        assert not settled & set(places)
        assert hold.waiting + len(places) + len(settled) == came
        if hold.state is HoldState.HELD:
            assert hold.next_at() <= now + 60.0
        if hold.state is HoldState.PROBING:
            assert calling
        assert not (hold.is_open and hold.waiting)


@given(st.integers(1, 20), st.integers(0, 10))
def test_who_waits_goes_in_order_and_is_not_starved(count: int, failures: int) -> None:
    """However often the probe fails and others come in between, the first is the first."""
    hold: Hold[Doc] = Hold(HoldSettings(after="wait"))
    docs = [Doc(number) for number in range(count)]
    assert hold.fault(docs[0], 0.0, "no")
    for doc in docs[1:]:
        hold.wait(doc)
    now = 0.0
    for number in range(failures):
        now = hold.next_at()
        probe, _ = hold.turn(now)
        assert probe is docs[0]
        docs.append(Doc(100 + number))
        hold.wait(docs[-1])
        assert hold.fault(probe, now, "no")
    now = hold.next_at()
    probe, _ = hold.turn(now)
    assert [probe, *hold.went_well(now)] == docs
