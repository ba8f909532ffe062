"""Two of three workers are killed while 8,000 records with planned fates and troubles go through.

The large version, with restarts of the broker: `make chaos`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.chaos.options import ChaosOptions, Delivery
from tests.chaos.run import ChaosRun
from tests.scenarios.world import World

SEED = 20_261


@pytest.mark.kafka
@pytest.mark.parametrize("delivery", ["at-least-once", "exactly-once"])
def test_chaos_in_small(
    world: World, delivery: Delivery, record_property: Callable[[str, object], None]
) -> None:
    """Every id in its place, in the order of its partition; repeated at most what was written and not
    committed at the kills, and under exactly-once nothing."""
    options = ChaosOptions(
        seed=SEED, records=8_000, kills=2, broker_restarts=0, every_seconds=5.0, delivery=delivery
    )
    figures = ChaosRun(options, world.folder, print).run_in(world)
    account = figures.account
    summary = (
        f"{options.describe()}: repeated {len(account.repeated)}, bound {figures.bound}, "
        f"{figures.calls} calls, {figures.aborted} aborted, {figures.seconds:.1f} s"
    )
    record_property("figures", summary)
    print(summary)
    assert figures.faults == []
    assert figures.kills == 2
