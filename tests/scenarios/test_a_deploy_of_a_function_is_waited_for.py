"""A function that is being deployed: 409, then 404, then well again."""

from __future__ import annotations

import pytest

from tests.scenarios.flow import CONFLICT, ECHO, MISSING, documents, ids_in, samples_until
from tests.scenarios.stories import calling, group_of
from tests.scenarios.world import World, until


@pytest.mark.kafka
def test_a_deploy_of_a_function_is_waited_for_and_disturbs_no_other(world: World) -> None:
    """Under load: no dead letter, every document ends once and in order. The function is left alone but for
    probes, while a processor beside it goes on calling another one."""
    world.start_stub(deployed=ECHO, healthy=ECHO)
    dead = world.topic("dead")
    deployed, healthy = (
        (world.topic("d-in"), world.topic("d-out")),
        (world.topic("h-in"), world.topic("h-out")),
    )
    app = world.write_app(
        world.connections(),
        {
            name: calling(world, *topics, dead, {"functionName": name, "as": "x", "parallelism": 32})
            for name, topics in (("deployed", deployed), ("healthy", healthy))
        },
    )
    worker = world.ready_worker(app)

    def load(first: int, last: int) -> None:
        world.produce(deployed[0], documents(first, last))
        world.produce(healthy[0], documents(first, last))

    def is_through(source: str) -> bool:
        return world.lag(group_of(source), source) == 0

    load(0, 500)
    until(lambda: is_through(deployed[0]) and is_through(healthy[0]), 30, "both through before the deploy")
    world.start_stub(deployed=CONFLICT)
    load(500, 1_500)
    until(lambda: is_through(healthy[0]), 30, "the other function's calls during 409")
    held = samples_until(
        worker,
        lambda now: (
            now.sum("penstock_hold_state", processor="deployed", state="open") == 0
            and now.sum("penstock_hold_state", processor="deployed") == 1
        ),
    )
    until(held, 40, "a hold")
    world.start_stub(deployed=MISSING)
    load(1_500, 2_000)
    until(lambda: is_through(healthy[0]), 30, "the other function's calls during 404")
    probed = samples_until(
        worker, lambda now: now.sum("penstock_hold_probes_total", processor="deployed") >= 1
    )
    until(probed, 40, "a probe that met the 404")
    assert held()
    assert world.lag(group_of(deployed[0]), deployed[0]) == 1_500, "offsets stay while it is held"
    world.start_stub(deployed=ECHO)
    until(lambda: is_through(deployed[0]), 60, "the backlog after the deploy")

    assert ids_in(world, deployed[1]) == ids_in(world, healthy[1]) == list(range(2_000))
    assert world.count(dead) == 0
    refused = world.stub_stats("deployed")["outcomes"]["error"]
    assert refused < 500, "a held function is probed, not called with every document"
    assert "error" not in world.stub_stats("healthy")["outcomes"]
