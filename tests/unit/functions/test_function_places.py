"""Who gets a place for a worker process, and who gives one up, step by step and without a process."""

from __future__ import annotations

from dataclasses import dataclass, field

from workers.functions.places import Places


@dataclass(eq=False)
class _Worker:
    """A worker without work, and whether it was ended."""

    free_since: float = 0.0
    ended: bool = False

    def kill(self) -> None:
        self.ended = True


@dataclass(eq=False)
class _Function:
    """A function with so many workers, and whether it wants another."""

    count: int = 0
    wants: bool = True
    idle: _Worker | None = None

    def workers(self) -> range:
        return range(self.count)

    def wants_worker(self) -> bool:
        return self.wants

    def longest_free(self) -> _Worker | None:
        return self.idle


@dataclass
class _Host:
    """Places and their clock."""

    most: int
    functions: list[_Function] = field(default_factory=list)
    now: float = 1_000.0

    def __post_init__(self) -> None:
        self.places = Places(self.most, lambda: self.functions, lambda: self.now)

    def take(self, function: _Function) -> bool:
        """As a pool does that wants a worker."""
        taken = self.places.try_take(function)
        function.count += taken
        return taken

    def answered(self, function: _Function) -> bool:
        """As a pool does whose worker came free: whether it gave it up."""
        gone = self.places.must_yield(function)
        if gone:
            function.count -= 1
            self.places.give_back()
        return gone

    def full_of(self, function: _Function) -> _Function:
        """A function with every place."""
        while self.take(function):
            pass
        return function


def test_a_place_that_a_busy_function_gave_up_is_not_its_own_again() -> None:
    """It goes to the function that has none, whoever asks first."""
    host, starved = _Host(2), _Function()
    busy = host.full_of(_Function())
    assert not host.take(starved)
    assert host.answered(busy)
    assert not host.take(busy)
    assert host.take(starved)
    assert (busy.count, starved.count) == (1, 1)


def test_who_has_least_comes_first_and_then_who_got_its_last_place_longer_ago() -> None:
    """Three functions want one place: one without a worker gets it, the other one afterwards."""
    host, first, second = _Host(3), _Function(), _Function()
    busy = host.full_of(_Function())
    assert [host.take(one) for one in (first, second)] == [False, False]
    assert host.answered(busy)
    assert [host.take(one) for one in (busy, second, first)] == [False, True, False]
    assert host.answered(busy)
    assert [host.take(one) for one in (busy, second, first)] == [False, False, True]
    assert [one.count for one in (busy, first, second)] == [1, 1, 1]


def test_a_function_whose_process_ends_with_every_call_leaves_its_place_to_others() -> None:
    """It gives nothing up, and is without a worker as soon as the other one: that one starves for longer."""
    host, starved = _Host(1), _Function()
    crashing = host.full_of(_Function())
    assert not host.take(starved)
    crashing.count -= 1
    host.places.give_back()
    assert [host.take(one) for one in (crashing, starved)] == [False, True]


def test_one_function_that_starves_costs_one_worker() -> None:
    """Nine more answers before it has started its process: none of them costs a further one."""
    host, starved = _Host(10), _Function()
    busy = host.full_of(_Function())
    assert not host.take(starved)
    assert [host.answered(busy) for _ in range(9)] == [True] + [False] * 8
    assert host.take(starved)


def test_a_place_is_kept_for_nobody_who_does_not_want_it() -> None:
    """Calls that were answered, or whose function is gone, hold nothing."""
    host, starved = _Host(2), _Function()
    busy = host.full_of(_Function())
    assert not host.take(starved)
    assert host.answered(busy)
    starved.wants = False
    assert host.take(busy)


def test_functions_without_a_worker_take_turns() -> None:
    """One place, two functions that are called all the time: after half a second it is the other one's."""
    host, other = _Host(1), _Function()
    one = host.full_of(_Function())
    assert not host.take(other)
    host.now += 0.4
    turns = []
    for _ in range(4):
        assert host.answered(one)
        assert [host.take(one), host.take(other)] == [False, True]
        assert not host.answered(other)
        host.now += 0.6
        turns.append((one.count, other.count))
        one, other = other, one
    assert turns == [(0, 1)] * 4


def test_a_full_host_ends_the_worker_that_is_idle_for_longest() -> None:
    """Of whichever function; the place is there once it is gone."""
    old, young = _Worker(free_since=1.0), _Worker(free_since=2.0)
    idle = [_Function(wants=False, idle=young), _Function(wants=False, idle=old)]
    host, called = _Host(2, idle), _Function()
    assert [host.take(one) for one in idle] == [True, True]
    assert not host.take(called)
    assert (old.ended, young.ended) == (True, False)
    host.places.give_back()
    assert host.take(called)
