"""Which processors, and whether the worker, are ready while AWS does not take a connection's keys."""

from __future__ import annotations

from typing import Any

import pytest

from workers.assembly.readiness import with_troubles

USES = {"orders": {"aws", "api"}, "plain": set[str]()}
TROUBLES = {"aws": "connection aws: AWS refuses its keys", "other": "nobody calls with it"}


def status(name: str, state: str = "STARTED", trouble: str = "") -> dict[str, Any]:
    return {"name": name, "state": state, "ready": True, "error": "", "trouble": trouble}


def frame(*processors: dict[str, Any]) -> dict[str, Any]:
    return {"type": "status", "ready": True, "processors": list(processors), "metrics": ""}


def test_who_calls_with_refused_keys_is_not_ready() -> None:
    """The processor, with the reason, and the worker; its neighbour is."""
    seen = with_troubles(frame(status("orders"), status("plain")), TROUBLES, USES)
    orders, plain = seen["processors"]
    assert (seen["ready"], orders["ready"], plain["ready"]) == (False, False, True)
    assert orders["trouble"] == "connection aws: AWS refuses its keys"


def test_a_trouble_stands_beside_another() -> None:
    """A broker that is away at the same time: both are said."""
    seen = with_troubles(frame(status("orders", trouble="the broker is away")), TROUBLES, USES)
    assert seen["processors"][0]["trouble"] == "the broker is away; connection aws: AWS refuses its keys"


def test_a_failed_processor_does_not_keep_its_neighbours_from_being_ready() -> None:
    """A role that stayed refused: the alert is its state."""
    before = frame(status("orders", "FAILED"), status("plain"))
    assert with_troubles(before, TROUBLES, USES) == before


@pytest.mark.parametrize("is_ready", [True, False])
def test_troubles_of_nobody_change_nothing(is_ready: bool) -> None:
    """No trouble, or one of a connection that no processor calls with."""
    before = {**frame(status("plain")), "ready": is_ready}
    assert with_troubles(before, {}, USES) == before
    assert with_troubles(before, TROUBLES, USES) == before
