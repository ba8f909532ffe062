"""Writes replays: each call is one transaction, so that records and the entries about them are there together
or not at all. Blocks; for the command line alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka import Producer as Client

from workers.adapters import kafka_callbacks
from workers.adapters.kafka_errors import producer_is_fenced, send_failure
from workers.adapters.kafka_log import client_logger
from workers.adapters.kafka_producer import DEFAULTS
from workers.emit.replay import Outgoing
from workers.errors import PenstockError

log = client_logger(__name__)
# A command says what failed itself, once.
log.addHandler(logging.NullHandler())

# A transaction whose owner was killed keeps the readers of its topics waiting for this long.
TRANSACTION_MS: Final = 10_000
# Registering waits until a predecessor's transaction is ended; its time-out bounds that.
OPEN_SECONDS: Final = 30.0
# One call of the client; a retriable error means that it has to go on for longer.
STEP_SECONDS: Final = 5.0
END_SECONDS: Final = 30.0
# Tries of one transaction that brokers made us abort.
ATTEMPTS: Final = 3


class ReplayFailed(PenstockError):
    """The replay cannot go on. What was committed before stays; a new run goes on from there."""


class ReplayWriter:
    """One transactional client. Whoever opens one of the same id next takes over from it."""

    def __init__(self, client_config: Mapping[str, Any], transactional_id: str) -> None:
        config = {name: value for name, value in DEFAULTS.items() if name != "message.timeout.ms"}
        config |= client_config
        config |= {"transactional.id": transactional_id, "transaction.timeout.ms": TRANSACTION_MS}
        # What its calls raise says the same.
        self._client = Client({**config, "error_cb": lambda _error: None}, logger=log)

    def open(self) -> None:
        """End what an earlier owner of the id left open, and shut it out. Raises ReplayFailed."""
        self._patiently(self._client.init_transactions, OPEN_SECONDS, "taking over from an earlier replay")

    def write(self, records: Sequence[Outgoing]) -> None:
        """All of them in one transaction, committed on return. Raises ReplayFailed; then none was, or that is
        not known."""
        for attempt in range(1, ATTEMPTS + 1):
            failures: list[tuple[Outgoing, Any]] = []
            try:
                self._client.begin_transaction()
                for record in records:
                    self._produce(record, failures)
                left = kafka_callbacks.flush(self._client, TRANSACTION_MS / 1_000)
                if not left and not failures:
                    self._patiently(self._client.commit_transaction, END_SECONDS, "committing")
                    return
                self._abort()
                reason = "not written in time"
            except KafkaException as error:
                self._abort_after(error)
                reason = error.args[0].str()
            for record, problem in failures:
                if send_failure(problem).too_large or send_failure(problem).no_topic:
                    raise ReplayFailed(f"{record.topic} does not take a record: {problem.str()}")
            if attempt == ATTEMPTS:
                raise ReplayFailed(f"writing failed {ATTEMPTS} times: {reason}; run it again to go on")

    def close(self) -> None:
        """Free the client."""
        self._client.purge(in_queue=True, in_flight=True, blocking=False)

    def _produce(self, record: Outgoing, failures: list[tuple[Outgoing, Any]]) -> None:
        def delivered(error: Any, _message: Any) -> None:
            if error is not None:
                failures.append((record, error))

        where = -1 if record.partition is None else record.partition
        while True:
            try:
                self._client.produce(
                    record.topic, record.value, record.key, where, delivered, None,
                    record.timestamp_ms, record.headers,  # type: ignore[arg-type]
                )  # fmt: skip
                return
            except BufferError:
                kafka_callbacks.poll(self._client, 0.1)
            except KafkaException as error:
                if not send_failure(error.args[0]).too_large:
                    raise
                failures.append((record, error.args[0]))
                return

    def _abort_after(self, exception: KafkaException) -> None:
        error = exception.args[0]
        if producer_is_fenced(error):
            raise ReplayFailed("another replay of this processor began; this one ends") from None
        if error.fatal() or not (error.txn_requires_abort() or error.retriable()):
            raise ReplayFailed(f"{error.str()}; run it again to go on") from None
        self._abort()

    def _abort(self) -> None:
        self._patiently(self._client.abort_transaction, END_SECONDS, "aborting a transaction")

    def _patiently(self, call: Any, limit_seconds: float, doing: str) -> None:
        """A time-out says nothing: the client goes on with the same call."""
        deadline = time.monotonic() + limit_seconds
        while True:
            try:
                call(STEP_SECONDS)
                return
            except KafkaException as exception:
                error = exception.args[0]
                if error.retriable() and time.monotonic() < deadline:
                    continue
                if error.txn_requires_abort() and call != self._client.abort_transaction:
                    raise
                if producer_is_fenced(error):
                    raise ReplayFailed("another replay of this processor began; this one ends") from None
                raise ReplayFailed(f"{doing}: {error.str()}; run it again to go on") from None
