"""Whether a broker is back, for a consumer that follows no partition."""

from __future__ import annotations

from typing import Any, cast

import pytest

from workers.adapters.kafka_watch import Watch


def watch() -> Watch:
    """One that says nothing."""
    return Watch(lambda *_, **__: None)


def look(watch: Watch, now: float, groups_seen: int) -> None:
    """A member without partitions asks its client nothing."""
    watch.look(cast(Any, None), {}, now, groups_seen)


@pytest.mark.parametrize(
    "reason", ["_TRANSPORT: refused", "_ALL_BROKERS_DOWN: 1/1", "_RESOLVE: no such host"]
)
def test_an_idle_member_is_well_again_when_its_group_is_back(reason: str) -> None:
    """The client says so after the trouble; what it said before does not count."""
    idle = watch()
    look(idle, 1.0, 7)
    idle.troubled(reason, 2.0)
    for moment in (3.0, 4.0, 5.0):
        look(idle, moment, 7)
        assert idle.trouble
    look(idle, 6.0, 8)
    assert idle.trouble == ""


def test_trouble_that_comes_again_waits_for_a_newer_word() -> None:
    """A broker that is still away says so at every attempt to reach it."""
    idle = watch()
    idle.troubled("_TRANSPORT: refused", 1.0)
    look(idle, 2.0, 3)
    idle.troubled("_TRANSPORT: refused", 3.0)
    look(idle, 4.0, 4)
    assert idle.trouble
    look(idle, 5.0, 5)
    assert not idle.trouble


def test_a_missing_right_is_not_over_because_the_group_is_there() -> None:
    """The coordinator answers, and refuses."""
    idle = watch()
    idle.troubled("GROUP_AUTHORIZATION_FAILED: Broker: Group authorization failed", 1.0)
    for moment in range(2, 9):
        look(idle, float(moment), moment)
    assert idle.trouble
