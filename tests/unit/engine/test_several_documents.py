"""Records that became several documents, some of them refused, and refusals that stop the processor."""

from __future__ import annotations

import pytest

from tests.unit.engine.rig import calling_program, plain_program, running, site
from workers.pipeline.program import Program


def program(way: str) -> Program:
    """The way without calls, or the one with slots."""
    return plain_program() if way == "plain" else calling_program(site())


@pytest.mark.parametrize("way", ["plain", "calls"])
async def test_the_good_documents_of_a_record_pass_beside_a_refused_one(way: str) -> None:
    """One dead letter for the refused document, results for the others, and the record counts once."""
    async with running(program(way)) as rig:
        rig.give({"id": "a", "do": "mixed"}, {"id": "b"})
        await rig.all_committed(2)
        assert rig.ids() == ["a.0", "a.2", "b"]
        assert [letter["errInfo"]["reason"] for letter in rig.letters()] == ["asked for it"]
        assert rig.processor.status().dead_lettered == 1


@pytest.mark.parametrize("way", ["plain", "calls"])
async def test_a_refusal_of_the_processors_scope_stops_it(way: str) -> None:
    """FAILED with the place and the record; nothing past the document is committed, nothing dead-lettered."""
    async with running(program(way)) as rig:
        rig.give({"id": 0})
        await rig.all_committed(1)
        rig.give({"id": 1, "do": "fail"}, {"id": 2})
        await rig.until(lambda: rig.processor.state == "FAILED")
        assert rig.processor.error == "pipeline[1]: asked to stop (record in[0]@1)"
        assert rig.committed() == 1
        assert rig.letters() == []
