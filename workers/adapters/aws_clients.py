"""The AWS connections of one process: their sessions and the clients that call with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, TypeAlias

from workers.adapters.aws_connection import AwsConnection
from workers.adapters.aws_session import AwsSession, open_session
from workers.adapters.function_facts import learn
from workers.adapters.lambda_http import LambdaEndpoint, LambdaInvoker
from workers.calls.preflight import Facts
from workers.errors import Invalid, Problem
from workers.settings import EngineSettings

Reread: TypeAlias = Callable[[str], AwsConnection | None]
"""The connection of this name as its files have it now; None where they cannot be read. Blocks."""


class AwsClients:
    """One session and one client for each connection, opened together and used by all processors."""

    def __init__(self, settings: EngineSettings, bundle: str, reread: Reread) -> None:
        """`bundle` names the file of trusted authorities."""
        self.sessions: Final[dict[str, AwsSession]] = {}
        self._invokers: dict[str, LambdaInvoker] = {}
        self._settings = settings
        self._bundle = bundle
        self._reread = reread

    async def open(self, connections: Iterable[AwsConnection]) -> None:
        """Find keys and endpoints, beside each other: each may wait 2 s for an instance's metadata that is
        not there. Raises Invalid with the problems of all."""
        problems: list[Problem] = []

        async def one(connection: AwsConnection) -> None:
            name = connection.name
            try:
                session = await asyncio.to_thread(open_session, connection, lambda: self._reread(name))
            except Invalid as error:
                problems.extend(error.problems)
                return
            self.sessions[name] = session
            self._invokers[name] = LambdaInvoker(self._endpoint(name, session), session)

        await asyncio.gather(*(one(connection) for connection in connections))
        if problems:
            self.close()
            raise Invalid(problems)

    def invoker(self, name: str) -> LambdaInvoker:
        """The client of an opened connection."""
        return self._invokers[name]

    async def learn(self, asked: Mapping[str, Collection[str]]) -> dict[tuple[str, str], Facts]:
        """The facts of functions by connection. Never raises, and takes no longer than the preflight's limit
        allows each."""
        seconds = self._settings.preflight_seconds
        found = await asyncio.gather(
            *(learn(self.sessions[name], self._invokers[name], asked[name], seconds) for name in asked)
        )
        pairs = zip(asked, found, strict=True)
        return {(name, function): facts for name, each in pairs for function, facts in each.items()}

    def rotated(self, connection: AwsConnection) -> None:
        """Sign with other secrets from now on."""
        session = self.sessions.get(connection.name)
        if session is not None:
            session.rotated(connection)

    def troubles(self) -> dict[str, str]:
        """By connection why its calls cannot be signed, in words; nothing of those whose can."""
        return {name: one.trouble for name, one in self.sessions.items() if not one.is_ready}

    def close(self) -> None:
        """End the threads. Idempotent; the clients are closed by whoever calls with them."""
        for session in self.sessions.values():
            session.close()

    async def close_all(self) -> None:
        """End the threads and the clients."""
        for invoker in self._invokers.values():
            await invoker.close()
        self.close()

    def _endpoint(self, name: str, session: AwsSession) -> LambdaEndpoint:
        settings = self._settings
        return LambdaEndpoint(
            connection=name,
            url=session.endpoint_url,
            region=session.region,
            ca_bundle=self._bundle,
            max_connections=settings.max_connections,
            connect_timeout_seconds=settings.connect_timeout_seconds,
            idle_seconds=settings.idle_connection_seconds,
        )
