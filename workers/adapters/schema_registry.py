"""Asks schema registries in threads of its own, and puts what it learns where readers and writers look. Keeps
the port `topics.codecs.registered.Registry`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, Final, TypeVar

from topics.codecs.avro import Reader, Writer
from topics.codecs.registered import RegistryAway, RegistryDenied, RegistryRefused, Subject, WriteSchema
from topics.codecs.registry_client import SchemaClient, Shelf

# Of one registry: a question takes milliseconds, or its time-out.
THREADS: Final = 4
T = TypeVar("T")


class SchemaRegistry:
    """One registry. `config` is confluent's, secrets included: never log it. Everything runs on the loop but
    the questions themselves."""

    def __init__(self, name: str, config: Mapping[str, Any]) -> None:
        self._name, self._config = name, dict(config)
        self._shelf = Shelf(time.monotonic)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=f"schemas-{name}")
        self._client: SchemaClient | None = None
        self._retired: list[SchemaClient] = []
        self._open = 0
        self._making = Lock()

    def reader(self) -> Reader:
        """Reads by what is known of this registry."""
        return Reader(self._shelf)

    def writer(self, value: WriteSchema | None, key: WriteSchema | None) -> Writer:
        """Writes by what is known of this registry."""
        return Writer(self._shelf, value, key)

    def rotated(self, config: Mapping[str, Any]) -> None:
        """Ask as somebody else, or trust others, from the next question on."""
        self._config = dict(config)
        if self._client is not None:
            self._retired.append(self._client)
            self._client = None
            self._close_retired()

    async def fetch(self, schema_id: int) -> None:
        try:
            found = await self._asked(lambda client: client.learn(schema_id))
        except RegistryRefused as error:
            self._shelf.put(schema_id, error.reason)
        else:
            self._shelf.put(schema_id, found)

    async def register(self, subject: Subject) -> None:
        try:
            found = await self._asked(lambda client: client.register(subject))
        except RegistryRefused as error:
            self._shelf.put_id(subject, error.reason)
        else:
            self._shelf.put_id(subject, found)

    def close(self) -> None:
        """Abandon what is open. Idempotent."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for client in [*self._retired, self._client]:
            if client is not None:
                client.close()
        self._retired, self._client = [], None

    async def _asked(self, ask: Callable[[SchemaClient], T]) -> T:
        self._open += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._ask, ask)
        finally:
            self._open -= 1
            self._close_retired()

    def _ask(self, ask: Callable[[SchemaClient], T]) -> T:
        """In a thread. A client reads certificates when it is made, which may fail. Reasons name the
        connection: a processor may have two."""
        with self._making:
            client = self._client
            if client is None:
                try:
                    client = self._client = SchemaClient(self._config)
                except (OSError, ValueError) as error:
                    raise RegistryDenied(f"{self._name} has no client: {type(error).__name__}") from None
        try:
            return ask(client)
        except RegistryAway as error:
            raise type(error)(f"{error.reason} (connection {self._name})") from None

    def _close_retired(self) -> None:
        """Clients that were replaced, once no question of theirs can be open."""
        if not self._open:
            for client in self._retired:
                client.close()
            self._retired = []
