"""Calls that may have been worked on though no answer came, and calls with credentials that were refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes.lambda_behaviour import Behaviour
from tests.unit.engine import rig as rigs
from tests.unit.engine.batch_sites import batched, sizes
from tests.unit.engine.rig import QUICK, calling_program, running, site
from workers.errors import NotSent, TimedOut, UnknownOutcome
from workers.ports import InvokeAnswer, InvokeRequest

NEVER = replace(QUICK, on_unknown="onError")
MAY_HAVE_RUN: dict[str, InvokeAnswer | Exception] = {
    "a time-out": TimedOut("no answer"),
    "a reset": UnknownOutcome("connection reset"),
    "an error inside Lambda": InvokeAnswer(500, b"", error_type="ServiceException"),
}


@pytest.mark.parametrize("kind", MAY_HAVE_RUN)
async def test_what_may_have_run_is_not_sent_again(kind: str) -> None:
    """`onUnknown: onError`: one attempt, then the dead letter says which."""
    async with running(calling_program(site(retry=NEVER))) as rig:
        rig.invoker.script("f", lambda _request: MAY_HAVE_RUN[kind])
        rig.give({"id": 1})
        await rig.all_committed(1)
        assert len(rig.invoked()) == 1
        (letter,) = rig.letters()
        assert letter["errInfo"]["attempts"] == 1


@pytest.mark.parametrize("kind", MAY_HAVE_RUN)
async def test_a_batch_that_may_have_run_is_neither_sent_again_nor_split(kind: str) -> None:
    """Each of its records may be done already."""
    async with running(calling_program(batched(4, retry=NEVER, delay=1.0))) as rig:
        rig.invoker.script("f", lambda _request: MAY_HAVE_RUN[kind])
        rig.give(*({"id": n} for n in range(4)))
        await rig.all_committed(4)
        assert sizes(rig) == [4]
        assert len(rig.letters()) == 4


async def test_what_was_not_sent_is_tried_again_all_the_same() -> None:
    """It cannot have run."""

    def refuse(_request: InvokeRequest) -> Exception:
        return NotSent("connection refused")

    async with running(calling_program(site(retry=NEVER)), settings={"pace": rigs.NEVER}) as rig:
        rig.invoker.script("f", refuse)
        rig.give({"id": 1})
        await rig.until(lambda: len(rig.invoked()) >= QUICK.max_attempts)
        await rig.rest()
        assert len(rig.invoked()) == QUICK.max_attempts


async def test_refused_credentials_are_tried_once_more() -> None:
    """The client fetches fresh ones before the next attempt; a third would tell nothing new. The worker says
    that it is not ready, and the document waits."""
    expired = Behaviour(outcome="error", status=403, error_type="ExpiredTokenException")
    async with running(calling_program(site()), settings={"pace": rigs.NEVER}) as rig:
        rig.invoker.program("f", expired)
        rig.give({"id": 1})
        await rig.until(lambda: not rig.processor.fanouts[0].is_ready)
        await rig.rest()
        assert (len(rig.invoked()), rig.processor.status().ready) == (2, False)
        assert (rig.committed(), rig.letters()) == (0, [])


async def test_a_single_record_is_the_scope_of_what_cannot_be_split() -> None:
    """The table says batch; a dead letter is about its record."""
    large = Behaviour(outcome="error", status=413, error_type="RequestTooLargeException")
    async with running(calling_program(site())) as rig:
        rig.invoker.program("f", large)
        rig.give({"id": 1})
        await rig.all_committed(1)
        (letter,) = rig.letters()
        assert letter["errInfo"]["scope"] == "record"
