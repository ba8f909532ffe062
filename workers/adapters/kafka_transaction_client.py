"""One transactional client, used by one thread at a time: a transaction is one call that blocks until its end
is known, or until nothing more can be learnt from this client.

A transaction never waits for anything but brokers: what goes into it is complete before it opens, so it is
open for as long as its records take to be written, some 10 ms.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Container, Mapping, Sequence
from functools import partial
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import Producer as Client

from workers.adapters import kafka_callbacks
from workers.adapters.kafka_errors import producer_is_fenced, send_failure, transaction_is_stale
from workers.adapters.kafka_log import Repeats, client_logger
from workers.adapters.kafka_producer import DEFAULTS
from workers.logs import log_event
from workers.ports import Produced, SendFailure, TransactionEnd

log = client_logger(__name__)

TRANSACTION_TIMEOUT_MS: Final = 10_000
"""A transaction whose owner is gone and does not come back is aborted by the coordinator after this long."""

# Under the 10 s after which the coordinator aborts the transaction anyway.
WRITE_SECONDS: Final = 8.0
# Each call of the client alone, so that a deadline is looked at in between.
STEP_SECONDS: Final = 2.0
FLUSH_STEP_SECONDS: Final = 0.1
OFFSETS_SECONDS: Final = 5.0
ABORT_SECONDS: Final = 5.0
INIT_SECONDS: Final = 10.0
# A commit that was sent is asked about for this long: brokers that restart are back within some 10 s, and
# after the time-out of the transaction its coordinator has decided.
COMMIT_SECONDS: Final = 30.0
# A topic that is being created has leaders within a second; the transaction is not open yet.
TOPIC_SECONDS: Final = 5.0

Offsets = tuple[list[TopicPartition], object]
"""What `KafkaMembership.offsets` makes: positions with their texts, and the group's metadata."""


def transactional_config(config: Mapping[str, Any], transactional_id: str) -> dict[str, Any]:
    """The settings of a connection, for a client with this id."""
    found: dict[str, Any] = {**DEFAULTS, **config}
    # Bounded by the transaction's own time-out; the client refuses a longer one, and none.
    del found["message.timeout.ms"]
    return found | {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
        # A callback costs what a record costs: only what was not written has one.
        "delivery.report.only.error": True,
    }


class GivenUp(Exception):
    """The thread's caller does not wait any more: nothing may be committed now."""


class _Unwritten(Exception):
    """Records were not written: they are refused for good, suspected, or came back for a passing reason."""

    def __init__(self, failures: Mapping[int, SendFailure], certain: Container[int]) -> None:
        reasons = [failure.reason for failure in failures.values()]
        super().__init__(reasons[0] if reasons else f"not written within {WRITE_SECONDS:.0f} s")
        self.refused = {
            index: failure
            for index, failure in failures.items()
            if failure.no_topic or (failure.too_large and index in certain)
        }
        self.suspects = frozenset(i for i, f in failures.items() if f.too_large and i not in self.refused)


class TransactionClient:
    """One client with one transactional id. `is_broken` once it must be replaced."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.is_broken = False
        self.is_fenced = False
        self._is_open = False
        self._known: set[str] = set()
        self._repeats = Repeats()
        self._client = Client({**config, "error_cb": self._on_error}, logger=log)
        self._lock = threading.Lock()
        self._may_be_committed = False
        self._is_given_up = False

    def sign_in_as(self, username: str, password: str) -> None:
        """Any thread: authenticate new connections like this."""
        self._client.set_sasl_credentials(username, password)

    def give_up(self) -> bool:
        """Any thread: the client is not waited for any more and commits nothing from now on. True when a
        commit was under way, so that its outcome is in doubt."""
        with self._lock:
            self._is_given_up = True
            return self._may_be_committed

    def open(self) -> None:
        """Register the id, which aborts or completes what an earlier owner left open. Raises
        KafkaException."""
        deadline = time.monotonic() + INIT_SECONDS
        while not self._is_open:
            try:
                self._client.init_transactions(STEP_SECONDS)
                self._is_open = True
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
                    self.is_broken = True
                    self.is_fenced = producer_is_fenced(error.args[0])
                    raise

    def run(self, records: Sequence[Produced], alone: Container[int], offsets: Offsets) -> TransactionEnd:
        """One whole transaction. `alone`: records that go in a request batch of their own."""
        try:
            absent = self._absent({record[0] for record in records})
            if absent:
                missing = {i: absent[r[0]] for i, r in enumerate(records) if r[0] in absent}
                return TransactionEnd("aborted", next(iter(absent.values())).reason, missing)
            self._client.begin_transaction()
        except KafkaException as error:
            self.is_broken = True
            return self._end("aborted", error)
        try:
            self._write(records, alone)
            self._send_offsets(offsets)
        except _Unwritten as unwritten:
            self._abort()
            # Of a batch that was refused the client has counted the sequence numbers: its next transaction
            # failed as out of order. A new one costs some 20 ms.
            self.is_broken = True
            return TransactionEnd("aborted", str(unwritten), unwritten.refused, unwritten.suspects)
        except KafkaException as error:
            self._abort()
            return self._end("aborted", error)
        return self._commit()

    def discard(self) -> None:
        """Free the client; what it had open is aborted by whoever registers the id next."""
        self._client.purge(in_queue=True, in_flight=True, blocking=False)
        del self._client

    def _absent(self, topics: set[str]) -> dict[str, SendFailure]:
        """Topics that are not there, asked before a transaction is open. Asking creates one where the cluster
        does that."""
        absent: dict[str, SendFailure] = {}
        for topic in topics - self._known:
            deadline = time.monotonic() + TOPIC_SECONDS
            while (error := self._topic_error(topic)) is not None and time.monotonic() < deadline:
                kafka_callbacks.poll(self._client, FLUSH_STEP_SECONDS)
                if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    break
            if error is None:
                self._known.add(topic)
            elif (failure := send_failure(error)).no_topic:
                absent[topic] = failure
            else:
                raise KafkaException(error)
        return absent

    def _topic_error(self, topic: str) -> KafkaError | None:
        error: KafkaError | None = self._client.list_topics(topic, timeout=TOPIC_SECONDS).topics[topic].error
        return error

    def _write(self, records: Sequence[Produced], alone: Container[int]) -> None:
        failures: dict[int, SendFailure] = {}
        certain: set[int] = set()
        deadline = time.monotonic() + WRITE_SECONDS
        for index, record in enumerate(records):
            is_alone = index in alone
            if is_alone:
                self._flush(failures, certain, deadline)
                certain.add(index)
            if not self._produce(record, partial(self._failed, failures, index), deadline):
                certain.add(index)  # refused for its own size before it met any neighbour
            if is_alone or failures:
                self._flush(failures, certain, deadline)
        self._flush(failures, certain, deadline)

    def _failed(self, failures: dict[int, SendFailure], index: int, error: Any, _message: Any) -> None:
        failures[index] = send_failure(error)

    def _produce(self, record: Produced, failed: Any, deadline: float) -> bool:
        """False when the client itself refused the record; `failed` knows why."""
        topic, value, key, headers, timestamp_ms = record
        while True:
            try:
                self._client.produce(topic, value, key, -1, failed, None, timestamp_ms, headers or [])  # type: ignore[arg-type]
            except BufferError:
                kafka_callbacks.poll(self._client, FLUSH_STEP_SECONDS)
                if time.monotonic() > deadline:
                    raise _Unwritten({}, ()) from None
                continue
            except KafkaException as error:
                if not send_failure(error.args[0]).too_large:
                    raise
                failed(error.args[0], None)
                return False
            return True

    def _flush(self, failures: Mapping[int, SendFailure], certain: Container[int], deadline: float) -> None:
        """Wait until all is written. The first failure fails the transaction; those of its neighbours come
        with it."""
        while (
            kafka_callbacks.flush(self._client, FLUSH_STEP_SECONDS)
            and not failures
            and time.monotonic() < deadline
        ):
            pass
        if failures:
            kafka_callbacks.flush(self._client, FLUSH_STEP_SECONDS)
        if failures or len(self._client):
            raise _Unwritten(failures, certain)

    def _send_offsets(self, offsets: Offsets) -> None:
        positions, membership = offsets
        deadline = time.monotonic() + OFFSETS_SECONDS
        while True:
            try:
                self._client.send_offsets_to_transaction(positions, membership, STEP_SECONDS)
                return
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
                    raise

    def _commit(self) -> TransactionEnd:
        with self._lock:
            if self._is_given_up:
                raise GivenUp
            self._may_be_committed = True
        deadline = time.monotonic() + COMMIT_SECONDS
        while True:
            try:
                self._client.commit_transaction(STEP_SECONDS)
                break
            except KafkaException as error:
                # A time-out says nothing: the same commit is asked for again, which the client resumes.
                if error.args[0].retriable() and time.monotonic() < deadline:
                    continue
                self._abort()
                return self._end("in_doubt", error)
        with self._lock:
            self._may_be_committed = False
        return TransactionEnd("committed")

    def _abort(self) -> None:
        """Nothing of the transaction is seen by anybody. A client that cannot say so is replaced: its
        successor aborts when it registers the id."""
        deadline = time.monotonic() + ABORT_SECONDS
        while not self.is_broken:
            try:
                self._client.abort_transaction(STEP_SECONDS)
                return
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
                    self.is_broken = True
                    self.is_fenced = producer_is_fenced(error.args[0])

    def _end(self, result: Any, exception: KafkaException) -> TransactionEnd:
        error = exception.args[0]
        self.is_fenced = self.is_fenced or producer_is_fenced(error)
        self.is_broken = self.is_broken or self.is_fenced or bool(error.fatal())
        return TransactionEnd(
            result, f"{error.name()}: {error.str()}",
            is_fenced=self.is_fenced, is_stale=transaction_is_stale(error),
        )  # fmt: skip

    def _on_error(self, error: KafkaError) -> None:
        self.is_broken = self.is_broken or bool(error.fatal())
        if error.fatal() or self._repeats.is_new(error.str(), time.monotonic()):
            log_event(log, logging.WARNING, "transaction_error", error=error.name(), reason=error.str())
