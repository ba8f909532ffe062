"""The door of an MSK cluster before an embedded broker: TLS, OAUTHBEARER with tokens of AWS_MSK_IAM; then
every byte is passed on.

A client's first requests are Kafka's own: ApiVersions (which the broker answers), SaslHandshake and
SaslAuthenticate. The broker advertises the door's address, so that nobody comes past it.
"""

from __future__ import annotations

import asyncio
import struct
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fakes.certificate import server_context
from tests.fakes.msk_token import refusal
from workers.local.kafka import KafkaServer, free_ports
from workers.local.kafka_settings import KafkaSettings

API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 17, 36
AUTHENTICATION_FAILED = 58


class MskCluster:
    """One broker and its door. `secrets` are those of the access keys that may come in; `refused` says why
    tokens were not taken, `accepted` counts those that were."""

    def __init__(self, folder: Path, region: str) -> None:
        self.region = region
        self.secrets: dict[str, str] = {}
        self.refused: list[str] = []
        self.accepted = 0
        self._context, self.ca_file = server_context(folder)
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="msk-door")

    @property
    def address(self) -> str:
        """host:port for `bootstrapServers`."""
        return f"127.0.0.1:{self._port}"

    @property
    def plain_address(self) -> str:
        """The broker itself, for the test."""
        return self._broker.address

    def allow(self, keys: Mapping[str, str]) -> None:
        """Let these access keys in from now on."""
        self.secrets = dict(keys)

    def __enter__(self) -> Self:
        self._thread.start()
        self._port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(20)
        ports, inside = free_ports(secure=False), free_ports(secure=False)
        self._behind = inside.plain
        host = "127.0.0.1"
        own = {
            "listeners": f"PLAINTEXT://{host}:{ports.plain},CONTROLLER://{host}:{ports.controller},"
            f"MSK://{host}:{self._behind}",
            "advertised.listeners": f"PLAINTEXT://{host}:{ports.plain},MSK://{self.address}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,MSK:PLAINTEXT",
        }
        self._broker = KafkaServer(self._folder / "broker", KafkaSettings(properties=own))
        self._broker._ports = ports
        self._broker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._broker.stop()
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0, ssl=self._context)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _close(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside: asyncio.StreamWriter | None = None
        try:
            source, inside = await asyncio.open_connection("127.0.0.1", self._behind)
            if await self._let_in(reader, writer, source, inside):
                await asyncio.gather(_pump(reader, inside), _pump(source, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return
        finally:
            for end in (writer, inside):
                if end is not None:
                    end.close()

    async def _let_in(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        source: asyncio.StreamReader, inside: asyncio.StreamWriter,
    ) -> bool:  # fmt: skip
        while True:
            request = await _frame(reader)
            key, version, correlation = struct.unpack(">hhi", request[:8])
            if key == API_VERSIONS:
                inside.write(_framed(request))
                writer.write(_framed(await _frame(source)))
            elif key == SASL_HANDSHAKE:
                answer = struct.pack(">ihi", correlation, 0, 1) + _text("OAUTHBEARER")
                writer.write(_framed(answer))
            else:
                assert key == SASL_AUTHENTICATE, f"request {key} before the client has come in"
                assert version <= 1, "a newer form of SaslAuthenticate"
                why = self._judged(request)
                answer = struct.pack(">ih", correlation, AUTHENTICATION_FAILED if why else 0)
                answer += (_text(why) if why else struct.pack(">h", -1)) + struct.pack(">i", 0)
                writer.write(_framed(answer + (struct.pack(">q", 0) if version else b"")))
                await writer.drain()
                return not why

    def _judged(self, request: bytes) -> str:
        """`n,,\\x01auth=Bearer <token>\\x01...` behind the client's id and its own length."""
        client_id = max(struct.unpack(">h", request[8:10])[0], 0)
        said = request[10 + client_id + 4 :]
        token = said.split(b"auth=Bearer ")[1].split(b"\x01")[0].decode()
        why = refusal(token, self.secrets, self.region, time.time())
        if why:
            self.refused.append(why)
        else:
            self.accepted += 1
        return why


async def _frame(reader: asyncio.StreamReader) -> bytes:
    size = struct.unpack(">i", await reader.readexactly(4))[0]
    return await reader.readexactly(size)


def _framed(message: bytes) -> bytes:
    return struct.pack(">i", len(message)) + message


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()
