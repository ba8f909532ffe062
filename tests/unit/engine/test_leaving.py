"""How a processor ends that cannot leave its group."""

from __future__ import annotations

import time

import pytest

from tests.unit.engine.rig import calling_program, running, site
from workers.engine import processor as processor_module


async def test_stop_ends_where_the_source_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer without its broker waits for an answer that does not come; the drain timeout holds."""
    monkeypatch.setattr(processor_module, "LEAVE_SECONDS", 0.02)
    async with running(calling_program(site()), settings={"drain_timeout_seconds": 0.05}) as rig:
        rig.give({"id": 1})
        await rig.all_committed(1)
        began = time.monotonic()
        await rig.processor.stop()  # nobody turns the source meanwhile
        assert time.monotonic() - began < 1.0
        assert rig.processor.state == "STOPPED"
