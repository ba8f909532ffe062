"""What the engine needs from outside, as small protocols. `adapters` and `tests/fakes` keep them.

Contract suites in tests/contract run against both, so a fake that drifts from the real thing fails.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias

from workers.model import Headers, Position, TopicPartition

InvocationType = Literal["RequestResponse", "Event", "DryRun"]

# What the Lambda Invoke API takes as the body of one call, by how it is made.
MAX_SYNC_BYTES: Final = 6_291_456
MAX_ASYNC_BYTES: Final = 1_048_576


class SourceRecord(Protocol):
    """One consumed record. confluent_kafka.Message has this shape, so none is copied on the hot path."""

    def topic(self) -> str | None: ...
    def partition(self) -> int | None: ...
    def offset(self) -> int | None: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> Headers | None: ...
    def timestamp(self) -> tuple[int, int]:
        """(type, milliseconds since the epoch); type 0 means that the record has none."""
        ...


class InvokeRequest(NamedTuple):
    """One call of one function, ready to send.

    `function` is a name, `name:alias` or ARN; `client_context` is base64 as it goes into
    `X-Amz-Client-Context`; `timeout_seconds` bounds the whole call from now on.

    A named tuple, as the answer is: a frozen dataclass takes three times as long to make.
    """

    function: str
    body: bytes
    invocation_type: InvocationType = "RequestResponse"
    timeout_seconds: float = 60.0
    client_context: str | None = None
    log_tail: bool = False


class InvokeAnswer(NamedTuple):
    """A whole answer of the Lambda Invoke API, whatever its status.

    `function_error` is `X-Amz-Function-Error` (the function ran and failed, status 200),
    `error_type` is `x-amzn-ErrorType` without its namespace, `retry_after_seconds` what the answer asks for.
    `content_type` is only there where a `Requester` answers.
    """

    status: int
    body: bytes
    function_error: str | None = None
    executed_version: str | None = None
    request_id: str | None = None
    error_type: str | None = None
    retry_after_seconds: float | None = None
    log_tail: str | None = None
    content_type: str | None = None


class HttpRequest(NamedTuple):
    """One request of `$https`. `target` is path and query as they go behind the connection's URL, `headers`
    go before the connection's of the same name, `timeout_seconds` bounds the whole request, connecting
    included."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    timeout_seconds: float
    connect_timeout_seconds: float


class Requester(Protocol):
    """Makes requests to the URL of one `Https` connection. Kept by adapters/https.py and
    tests/fakes/requester.py."""

    @property
    def shown_url(self) -> str:
        """The connection's URL as logs and dead letters may show it, without a slash at its end: of its path
        only that there is one, since webhooks have their key there."""
        ...

    async def send(self, request: HttpRequest) -> InvokeAnswer:
        """Send the request, return the answer whatever its status: `status`, `body`, `content_type` and
        `retry_after_seconds` of it. A redirect is an answer, too; none is followed.

        Bounds, retries and errors are those of `Invoker.invoke`. Raises ProcessorFailed when the connection's
        host leads to an address that is never called."""
        ...

    async def close(self) -> None:
        """As `Invoker.close`."""
        ...


class Invoker(Protocol):
    """Calls functions of one connection. Kept by adapters/lambda_http.py and tests/fakes/invoker.py."""

    async def invoke(self, request: InvokeRequest) -> InvokeAnswer:
        """Send the request, return the answer whatever its status.

        Returns within `request.timeout_seconds`. Never retries: the caller owns that. Raises `NotSent` when
        the request cannot have run, `TimedOut` and `UnknownOutcome` when it may have. Cancelling abandons the
        call. May be called again while other calls are open, as often as the caller likes: the caller bounds
        that.
        """
        ...

    async def close(self) -> None:
        """Abandon open calls and free the connections. Idempotent."""
        ...


Client: TypeAlias = Invoker | Requester

Delivered = Callable[[Any, Any], None]
"""Called once per produced record on the thread that polls the producer: (error or None, the record).
A true error is opaque to the engine; `Producer.failure` names it."""


@dataclass(frozen=True, slots=True)
class SendFailure:
    """Why a record was not written. `too_large`: never will be; `no_topic`: the cluster has no such topic and
    makes none, or does not let us write to it; `fatal`: the producer must be replaced."""

    reason: str
    too_large: bool = False
    fatal: bool = False
    no_topic: bool = False


class Producer(Protocol):
    """Writes records to one cluster, idempotently and in order per partition. Never blocks."""

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers | None,
        timestamp_ms: int,
        delivered: Delivered,
    ) -> SendFailure | bool:
        """Queue one record. True: `delivered` will be called. False: the queue is full, poll and try again.
        A SendFailure: this record cannot be queued and `delivered` will not be called. timestamp_ms 0:
        now."""
        ...

    def send_many(
        self, topic: str, values: Sequence[bytes | None], records: Sequence[SourceRecord], places: range,
        delivered: Delivered,
    ) -> int:  # fmt: skip
        """Queue the values at `places` with key, headers and time of the records there; None is passed over.

        Returns the end of `places`, or the first place that was not queued, because the queue is full or this
        record is refused: `send` tells which. One call for a slice: a call a record cost 0.15 us."""
        ...

    def send_alone(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Headers | None,
        timestamp_ms: int, delivered: Delivered,
    ) -> SendFailure | bool:  # fmt: skip
        """The same, but in a request batch of its own, so that `too_large` is about this record and no
        other."""
        ...

    def poll(self) -> int:
        """Run the callbacks that are due, without waiting. Returns how many ran."""
        ...

    def outstanding(self) -> int:
        """Records queued or in flight whose callback has not run."""
        ...

    def failure(self, error: Any) -> SendFailure:
        """Name the error that a `Delivered` callback got."""
        ...

    def replace(self) -> None:
        """After a fatal failure: give up what is outstanding (its callbacks run as failed) and start a new
        client."""
        ...

    def close(self) -> None:
        """Give up what is outstanding and free the client. Idempotent."""
        ...


Produced: TypeAlias = "tuple[str, bytes | None, bytes | None, Headers | None, int]"
"""What to produce: (topic, value, key, headers, timestamp in ms)."""

TransactionResult = Literal["committed", "aborted", "in_doubt"]


@dataclass(frozen=True, slots=True)
class TransactionEnd:
    """What became of a transaction. Of an aborted one nothing is seen by a read_committed consumer.

    `in_doubt`: it is one of both; once `Transactions.recover` succeeded the group's committed offsets tell.
    `refused`: records, by their place, that will never be written (`too_large`, `no_topic`); `suspects`: that
    were sent back as too large together with their neighbours, and tell when they are sent alone.
    `is_fenced`: another client registered the same transactional id. `is_stale`: the group moved on; the same
    records may pass with a newer `Membership`.
    """

    result: TransactionResult
    reason: str = ""
    refused: Mapping[int, SendFailure] = field(default_factory=dict)
    suspects: frozenset[int] = frozenset()
    is_fenced: bool = False
    is_stale: bool = False


class Transactions(Protocol):
    """Writes records and offsets to one cluster as one transaction after the other. Kept by
    adapters/kafka_transactions.py and tests/fakes/transactions.py."""

    async def run(
        self, records: Sequence[Produced], alone: Collection[int], offsets: object
    ) -> TransactionEnd:
        """Write all records, in order per partition, and the offsets (`Membership.offsets`), or none of them.

        One at a time. Never raises for what a broker does; ends within a minute, which is an `in_doubt` at
        the worst. `alone`: places of records that go in a request batch of their own. A failure that may pass
        is `aborted`, and the caller, who keeps the records, runs them again."""
        ...

    async def recover(self) -> str:
        """After `in_doubt`: make sure that no transaction of this producer is open any more. Returns an empty
        text, or why that is not sure yet."""
        ...

    async def close(self) -> None:
        """Abandon what is open and free the client. Idempotent."""
        ...


class Membership(Protocol):
    """What a consumer's poll thread knew at one moment: which partitions are its own, as which member of the
    group. May be used on any thread, and for several transactions; brokers refuse it once the group moved
    on."""

    def owns(self, partition: TopicPartition) -> bool: ...

    def offsets(self, positions: Mapping[TopicPartition, Position]) -> object:
        """These positions with their maps, as `Transactions.run` takes them; of owned partitions only."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one assigned partition in offset order. `offsets` are theirs, `size_bytes` counts their
    values."""

    partition: TopicPartition
    records: list[SourceRecord]
    offsets: list[int]
    size_bytes: int


class SourceEvents(Protocol):
    """What a poll thread tells the engine of one processor. Every method is called on the poll thread;
    none but `revoking` blocks."""

    def assigned(self, positions: Mapping[TopicPartition, Position]) -> None:
        """New partitions, each with the offset that will be delivered first, and what the group's commit says
        of the records from there on."""
        ...

    def records(self, batches: Sequence[Batch]) -> None:
        """Records of assigned partitions; never below what was delivered since they were assigned."""
        ...

    def end_of_partition(self, partition: TopicPartition, next_offset: int) -> None:
        """Everything below `next_offset` was delivered; markers and compaction holes count as delivered."""
        ...

    def revoking(
        self, partitions: Sequence[TopicPartition], membership: Membership | None = None
    ) -> Mapping[TopicPartition, Position]:
        """The partitions are about to move. Blocks while open calls end, at most the revoke drain; returns
        what may be committed for them. After it returns nothing of them is produced, freed or committed any
        more.

        `membership` is there under exactly-once: what came of the partitions is committed with it before this
        returns, and there is nothing left to commit."""
        ...

    def lost(self, partitions: Sequence[TopicPartition]) -> None:
        """The partitions belong to someone else already: forget them, commit nothing."""
        ...

    def failed(self, reason: str) -> None:
        """The source cannot go on until someone changes something (data loss, no permission for 5
        minutes)."""
        ...


class Source(Protocol):
    """One processor's consumer, driven by a poll thread. Methods may be called from any thread; none
    blocks."""

    def commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Ask for these positions to be committed, each with its map. Filtered by the assignment at the time
        they are sent, tried again until they succeed or a later position takes their place."""
        ...

    def freed(self, partition: TopicPartition, records: int, size_bytes: int) -> None:
        """Records of a partition settled: there is room for as many more."""
        ...

    def quiesce(self) -> None:
        """Take no more records from now on, but stay in the group. The first half of stopping."""
        ...

    def membership(self) -> Future[Membership | None]:
        """What the poll thread knows of the group on its next turn; None while there is no consumer."""
        ...

    def positions(
        self, partitions: Sequence[TopicPartition]
    ) -> Future[Mapping[TopicPartition, Position] | None]:
        """What the group has committed for these partitions, once no transaction with offsets of theirs is
        open; None when the broker does not say. Of a partition without a commit nothing."""
        ...

    def transacted(self, positions: Mapping[TopicPartition, Position]) -> None:
        """A transaction committed these positions."""
        ...

    def stop(self) -> Future[None]:
        """Commit what was asked for, leave the group, close the consumer. The future is done when that is."""
        ...

    def status(self) -> SourceStatus:
        """The state as the poll thread last saw it."""
        ...


@dataclass(frozen=True, slots=True)
class SourceCounts:
    """Since the start: commits by result, records that were gone before they were read, clients replaced,
    committed maps that could not be read, records received (also in vain)."""

    commits_ok: int = 0
    commits_failed: int = 0
    records_lost: int = 0
    replaced: int = 0
    maps_unreadable: int = 0
    records_fetched: int = 0


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """`ready`: the group was joined and the broker answers. `trouble`: what is wrong now, in words, or empty.
    `lag` counts the records between what was delivered and the end, by partition; `committed` the committed
    positions."""

    ready: bool
    trouble: str
    protocol: str
    lag: Mapping[TopicPartition, int]
    committed: Mapping[TopicPartition, int]
    paused: int
    buffered_bytes: int = 0
    counts: SourceCounts = SourceCounts()
