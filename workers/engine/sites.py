"""What stands between two segments: call sites and throttles at work, each in its place of the pipeline."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from workers.calls.scale_hint import Destination
from workers.engine.batches import BatchFanout
from workers.engine.calling import Caller, Job
from workers.engine.fanout import Fanout
from workers.engine.https_calls import HttpsFanout
from workers.engine.partition import PartitionRun
from workers.engine.throttle import Throttled
from workers.pipeline.program import CallSite, Program
from workers.ports import Client


class Site(Protocol):
    """One of them: takes documents and hands them on to `Done` when their call or their wait is over."""

    @property
    def in_flight(self) -> int:
        """Calls that are open now."""
        ...

    @property
    def waiting(self) -> int:
        """Documents that wait for their turn."""
        ...

    @property
    def calls(self) -> int:
        """Finished calls since the start."""
        ...

    @property
    def at_once(self) -> int:
        """Documents that it works on at once: more need not be taken up together."""
        ...

    @property
    def is_ready(self) -> bool:
        """False while the worker's own keys or clock are refused there."""
        ...

    @property
    def standing(self) -> Collection[PartitionRun]:
        """Partitions with documents that wait for a held function: no more of them is taken up."""
        ...

    def destination(self) -> Destination:
        """Whether it lets more through; asked once a report."""
        ...

    def put(self, job: Job) -> None:
        """Take a document."""
        ...

    def has_room(self) -> bool:
        """Whether more documents may be taken up."""
        ...

    async def room(self) -> None:
        """Returns when `has_room`, or when there is something in `standing`."""
        ...

    def drop_waiting(self) -> None:
        """Forget documents that the next owner takes up."""
        ...

    def report(self) -> None:
        """Bring the metrics up to date."""
        ...

    async def close(self) -> None:
        """Abandon everything."""
        ...


def sites_of(program: Program, clients: Sequence[Client], caller: Caller) -> tuple[Site, ...]:
    """`clients` has one for each call site, in order: an Invoker for `$externalFunction`, a Requester for
    `$https`."""
    left = iter(clients)
    functions: set[str] = set()
    found: list[Site] = []
    for index, site in enumerate(program.call_sites):
        is_first = not any(isinstance(earlier, CallSite) for earlier in program.call_sites[:index])
        if isinstance(site, CallSite):
            client: Any = next(left)
            made: Any = HttpsFanout if site.https else BatchFanout if site.batch else Fanout
            line = made(index, site, client, caller, is_first=is_first)
            line.shares_function = site.function in functions
            functions.add(site.function)
            found.append(line)
        else:
            found.append(Throttled(index, site, caller, is_first=is_first))
    return tuple(found)
