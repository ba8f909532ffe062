"""Keeps the port `Producer` with confluent-kafka: idempotent, in order, never blocking."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka import Producer as Client

from workers.adapters import kafka_callbacks
from workers.adapters.kafka_errors import send_failure
from workers.adapters.kafka_log import Repeats, client_logger
from workers.adapters.kafka_requests import sign_in
from workers.logs import log_event
from workers.model import Headers
from workers.ports import Delivered, SendFailure, SourceRecord

log = client_logger(__name__)

# How long the event loop is held for what an old client gives back.
REPLACE_SECONDS: Final = 0.02

MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024

DEFAULTS: Final[Mapping[str, Any]] = {
    # Java's partitioner, so that keys land where every other client puts them.
    "partitioner": "murmur2_random",
    "compression.type": "lz4",
    "linger.ms": 5,
    "acks": "all",
    "enable.idempotence": True,
    # librdkafka's default of 1 MB refuses what the broker would take.
    "message.max.bytes": MAX_MESSAGE_BYTES,
    # Never given up by the clock: a time-out in the middle of a partition would let later results overtake
    # it. What waits is bounded by the processors' room, and a record that is not acked is not committed.
    "message.timeout.ms": 0,
    # The room of the processors bounds what is queued; these two only must not bite before it does.
    "queue.buffering.max.messages": 200_000,
    "queue.buffering.max.kbytes": 262_144,
    "log.connection.close": False,
}

# Fewer acknowledgements than all, and still one after the other: without idempotence a batch that is sent
# again would come behind those that were sent after it, unless only one is in flight.
_WEAK: Final[Mapping[str, Any]] = {"enable.idempotence": False, "max.in.flight.requests.per.connection": 1}


def sink_config(
    client_config: Mapping[str, Any], acks: str | None, compression: str | None
) -> dict[str, str | int | bool]:
    """What a client with these settings must have set otherwise for a sink that asks for `acks` (`all`, `1`,
    `0`) and `compression`; empty where it does that already, so that the client can be shared."""
    usual = {**DEFAULTS, **client_config}
    wanted = {"acks": acks, "compression.type": compression}
    found = {name: value for name, value in wanted.items() if value is not None and value != usual[name]}
    return {**found, **_WEAK} if "acks" in found else dict(found)


def producer_name(connection: str, changes: Mapping[str, object]) -> str:
    """How metrics call a client that differs from its connection: `kafka (acks=1, compression.type=zstd)`."""
    said = [f"{name}={changes[name]}" for name in ("acks", "compression.type") if name in changes]
    return f"{connection} ({', '.join(said)})"


class KafkaProducer:
    """One client of one cluster, shared by the processors that write to it."""

    def __init__(self, client_config: Mapping[str, Any], client_id: str) -> None:
        """`client_config` holds the connection's librdkafka settings; they win over DEFAULTS."""
        self._config = {**DEFAULTS, "client.id": client_id, **client_config}
        self._is_broken = False
        self._repeats = Repeats()
        self._client = self._build()
        self._produce = self._client.produce
        self._alone: KafkaProducer | None = None
        self._replaced: list[Client] = []
        """Clients that were replaced and still have callbacks to run."""

    def _build(self) -> Client:
        return Client({**self._config, "error_cb": self._on_error}, logger=log)

    def _on_error(self, error: Any) -> None:
        self._is_broken = self._is_broken or bool(error.fatal())
        if error.fatal() or self._repeats.is_new(error.str(), time.monotonic()):
            log_event(log, logging.WARNING, "producer_error", error=error.name(), reason=error.str())

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None,
        timestamp_ms: int,
        delivered: Delivered,
    ) -> SendFailure | bool:
        try:
            if headers:
                self._produce(topic, value, key, -1, delivered, None, timestamp_ms, headers)  # type: ignore[arg-type]
            else:
                self._produce(topic, value, key, -1, delivered, None, timestamp_ms)
        except BufferError:
            return False
        except KafkaException as error:
            return send_failure(error.args[0])
        return True

    def send_many(
        self,
        topic: str,
        values: Sequence[bytes | None],
        records: Sequence[SourceRecord],
        places: range,
        delivered: Delivered,
    ) -> int:
        produce, place = self._produce, places.start
        try:
            for place in places:
                value = values[place]
                if value is not None:
                    record = records[place]
                    headers = record.headers()
                    moment = record.timestamp()[1]
                    if headers:
                        produce(topic, value, record.key(), -1, delivered, None, moment, headers)  # type: ignore[arg-type]
                    else:
                        produce(topic, value, record.key(), -1, delivered, None, moment)
        except (BufferError, KafkaException):
            return place
        return places.stop

    def send_alone(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None,
        timestamp_ms: int,
        delivered: Delivered,
    ) -> SendFailure | bool:
        """Through a client of its own, made when it is first needed, because the size of batches is a
        client's."""
        if self._alone is None:
            self._alone = KafkaProducer({**self._config, "batch.num.messages": 1}, self._config["client.id"])
        return self._alone.send(topic, value, key, headers, timestamp_ms, delivered)

    def poll(self) -> int:
        ran = self._polled(self._client)
        if self._replaced:
            ran += sum(self._polled(old) for old in self._replaced)
            self._replaced = [old for old in self._replaced if len(old)]
        return ran if self._alone is None else ran + self._alone.poll()

    def _polled(self, client: Client, wait_seconds: float = 0.0) -> int:
        """A client that broke says so here, once; its records come back with the next polls, and `send`
        refuses new ones."""
        try:
            return kafka_callbacks.poll(client, wait_seconds)
        except KafkaException as error:
            if client is self._client:
                self._on_error(error.args[0])
            return 0

    def outstanding(self) -> int:
        kept = sum(map(len, self._replaced))
        return len(self._client) + kept + (0 if self._alone is None else self._alone.outstanding())

    def failure(self, error: Any) -> SendFailure:
        failure = send_failure(error)
        self._is_broken = self._is_broken or failure.fatal
        return failure

    def replace(self) -> None:
        """What was outstanding comes back through its callbacks as failed; the callers send it again. Several
        processors that share a client each ask for this once it fails: only the first finds it broken."""
        if self._alone is not None:
            self._alone.replace()
        if not self._is_broken:
            return
        old = self._client
        old.purge(in_queue=True, in_flight=True, blocking=True)
        # Most come back at once. What a lost connection keeps comes back through `poll`: waiting for it here
        # would hold the event loop.
        ends = time.monotonic() + REPLACE_SECONDS
        while len(old) and time.monotonic() < ends:
            self._polled(old, REPLACE_SECONDS / 10)
        if len(old):
            self._replaced.append(old)
        self._client = self._build()
        self._produce = self._client.produce
        # Last: what came back just now may have said once more that the old client is broken.
        self._is_broken = False

    def sign_in_as(self, username: str, password: str) -> None:
        """Authenticate new connections and new clients like this; open connections stay."""
        self._config |= sign_in(username, password)
        self._client.set_sasl_credentials(username, password)
        if self._alone is not None:
            self._alone.sign_in_as(username, password)

    def close(self) -> None:
        if self._alone is not None:
            self._alone.close()
        for client in (*self._replaced, self._client):
            client.purge(in_queue=True, in_flight=True, blocking=True)
            with suppress(KafkaException):
                kafka_callbacks.flush(client, 1.0)
