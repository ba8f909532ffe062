"""Keeps the port `Transactions` with confluent-kafka. Every call of a client blocks, and one of them for
over a minute when a connection was lost at the wrong moment, so they run in a thread of their own that can be
left behind: its client then commits nothing, and the next one with the same id aborts what it had open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaException

from workers.adapters.kafka_requests import sign_in
from workers.adapters.kafka_transaction_client import (
    COMMIT_SECONDS,
    INIT_SECONDS,
    OFFSETS_SECONDS,
    WRITE_SECONDS,
    GivenUp,
    TransactionClient,
    transactional_config,
)
from workers.logs import log_event
from workers.ports import Produced, TransactionEnd

log = logging.getLogger(__name__)

T = TypeVar("T")

# A client that answers at all ends within these; more is the hang that 2.16 was seen in.
RUN_SECONDS: Final = WRITE_SECONDS + OFFSETS_SECONDS + 7.0
COMMIT_MORE_SECONDS: Final = COMMIT_SECONDS
OPEN_SECONDS: Final = INIT_SECONDS + 10.0
# Threads that hang end by themselves after a minute or two, and one is left behind each 20 s at most.
MAX_LEFT_BEHIND: Final = 8


class Thread:
    """Runs one call after the other. A daemon, so that a call that hangs does not keep the process."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], T]) -> Future[T]:
        """Queue a call. Its future also carries what it raises."""
        future: Future[T] = Future()
        self._calls.put((future, function))
        return future

    def end(self) -> None:
        """Let the thread end after what it is doing."""
        self._calls.put(None)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function = call
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
            del call, future, function  # a client must not live on in this frame


class KafkaTransactions:
    """The transactional producer of one processor in one process."""

    def __init__(self, client_config: Mapping[str, Any], transactional_id: str) -> None:
        """`client_config` holds the connection's librdkafka settings."""
        self.transactional_id = transactional_id
        self.replaced = 0
        self._config = transactional_config(client_config, transactional_id)
        self._thread: Thread | None = None
        self._left_behind: list[Thread] = []
        self._client: TransactionClient | None = None
        self._is_closed = False

    def sign_in_as(self, username: str, password: str) -> None:
        """Authenticate new connections and new clients like this; open connections stay."""
        self._config |= sign_in(username, password)
        if self._client is not None:
            self._client.sign_in_as(username, password)

    async def run(
        self, records: Sequence[Produced], alone: Collection[int], offsets: object
    ) -> TransactionEnd:
        if (failed := await self._ready()) is not None:
            return failed
        client = self._client
        assert client is not None
        assert isinstance(offsets, tuple)
        call = self._start().call(lambda: client.run(records, alone, offsets))
        if await _ended(call, RUN_SECONDS):
            return self._checked(client, call)
        in_doubt = client.give_up()
        if in_doubt and await _ended(call, COMMIT_MORE_SECONDS):
            return self._checked(client, call)
        self._leave_behind()
        return TransactionEnd(
            "in_doubt" if in_doubt else "aborted", f"the client did not answer within {RUN_SECONDS:.0f} s"
        )

    async def recover(self) -> str:
        # Only a client that registers anew completes or aborts what the last one left.
        if self._client is not None:
            self._drop(self._client)
        failed = await self._ready()
        return "" if failed is None else failed.reason

    async def close(self) -> None:
        self._is_closed = True
        if self._client is not None:
            self._client.give_up()
            self._drop(self._client)
        if self._thread is not None:
            self._thread.end()
            self._thread = None

    async def _ready(self) -> TransactionEnd | None:
        """Make a client that has its id; None when there is one."""
        if self._is_closed:
            return TransactionEnd("aborted", "closed")
        if self._client is not None:
            return None
        if len(self._left_behind) >= MAX_LEFT_BEHIND:
            self._left_behind = [thread for thread in self._left_behind if thread.is_alive()]
            if len(self._left_behind) >= MAX_LEFT_BEHIND:
                return TransactionEnd("aborted", f"{MAX_LEFT_BEHIND} clients hang")
        call = self._start().call(self._open)
        if not await _ended(call, OPEN_SECONDS):
            self._leave_behind()
            return TransactionEnd("aborted", f"registering {self.transactional_id} took {OPEN_SECONDS:.0f} s")
        made = call.result()
        if isinstance(made, TransactionEnd):
            return made
        self._client = made
        return None

    def _open(self) -> TransactionClient | TransactionEnd:
        """On the thread."""
        try:
            client = TransactionClient(self._config)
        except KafkaException as error:
            return TransactionEnd("aborted", f"the Kafka client refused its settings: {error.args[0]}")
        try:
            client.open()
        except KafkaException as error:
            problem = error.args[0]
            reason = f"registering {self.transactional_id}: {problem.name()}: {problem.str()}"
            end = TransactionEnd("aborted", reason, is_fenced=client.is_fenced)
            client.discard()
            return end
        return client

    def _checked(self, client: TransactionClient, call: Future[TransactionEnd]) -> TransactionEnd:
        try:
            end = call.result()
        except GivenUp:
            end = TransactionEnd("aborted", "given up before the commit")
            client.is_broken = True
        if client.is_broken:
            self._drop(client)
        return end

    def _drop(self, client: TransactionClient) -> None:
        self.replaced += 1
        self._client = None
        log_event(log, logging.INFO, "transactional_client_dropped", transactional_id=self.transactional_id)
        # Freeing a client joins its threads: not on the loop.
        self._start().call(client.discard)

    def _leave_behind(self) -> None:
        assert self._thread is not None
        log_event(log, logging.WARNING, "transaction_thread_hangs", transactional_id=self.transactional_id)
        if self._client is not None:
            self._thread.call(self._client.discard)
        self._thread.end()
        self._left_behind.append(self._thread)
        self._thread = self._client = None
        self.replaced += 1

    def _start(self) -> Thread:
        if self._thread is None:
            self._thread = Thread(f"transactions-{self.transactional_id}")
        return self._thread


async def _ended(call: Future[Any], within_seconds: float) -> bool:
    """Whether the call ended in time. Cancelling the wait leaves the call alone."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wake(_call: Future[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(ended.set)

    call.add_done_callback(wake)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ended.wait(), within_seconds)
    return call.done()
