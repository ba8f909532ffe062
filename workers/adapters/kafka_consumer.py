"""One processor's consumer. Keeps the port `Source`; every call of the client happens on the poll thread, in
`turn`.

The order of events of a partition that moves away, all on the poll thread inside one `consume()`:
  1. the client calls `_on_revoke`; it asks the engine (`events.revoking`), which drops what has not begun and
  waits for open calls; 2. what the engine says may be committed is committed at once, while the partition is
  still ours; 3. the partition is forgotten here, so that neither a late commit nor a late record of it gets
  through.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as ClientPartition

from workers.adapters.kafka_callbacks import true_errors
from workers.adapters.kafka_commits import Commits
from workers.adapters.kafka_errors import consumer_kind
from workers.adapters.kafka_log import client_logger
from workers.adapters.kafka_rebuild import Rebuild
from workers.adapters.kafka_replay_topic import ReplayTopic
from workers.adapters.kafka_requests import Requests
from workers.adapters.kafka_runs import Run, fresh, runs_of
from workers.adapters.kafka_source_settings import SourceSettings
from workers.adapters.kafka_start import Starts, find_starts, partition_counts
from workers.adapters.kafka_statistics import Fetched
from workers.adapters.kafka_watch import Watch
from workers.logs import log_event
from workers.model import Position, TopicPartition
from workers.ports import Batch, SourceCounts, SourceEvents, SourceStatus
from workers.progress.room import Room
from workers.progress.start import DataLoss

log = client_logger(__name__)

# A transaction asks for the membership of its moment and waits for the turn that answers.
TRANSACTIONAL_WAIT_SECONDS: Final = 0.02


class KafkaSource(Requests):
    """The consumer of one processor."""

    def __init__(self, settings: SourceSettings, events: SourceEvents) -> None:
        self._settings = settings
        self._events = events
        self._consumer: Consumer | None = None
        self._rebuild = Rebuild(settings.group_protocol)
        self._room: Room[TopicPartition] = Room(settings.limits)
        self._next: dict[TopicPartition, int] = {}
        self._names: dict[tuple[str, int], TopicPartition] = {}
        super().__init__(
            self._next, Commits(self._next, self._log, is_transactional=settings.is_transactional)
        )
        self._quiesced = False
        self._is_abandoned = False
        self._stopping: Future[None] | None = None
        self._joined = False
        self._watch = Watch(self._log)
        self._replay = ReplayTopic(settings.replay_topic)
        self._lost = 0
        self._replaced = 0
        self._unreadable = 0
        self._fetched = Fetched()
        self._now = 0.0

    # The port: any thread.

    def quiesce(self) -> None:
        self._quiesced = True

    def stop(self) -> Future[None]:
        if self._stopping is None:
            self._stopping = Future()
        return self._stopping

    def status(self) -> SourceStatus:
        room = self._room
        paused = len(room.held) if room.all_paused else sum(held.paused for held in list(room.held.values()))
        return SourceStatus(
            ready=(self._joined or self._is_idle_member()) and not self._watch.trouble,
            trouble=self._watch.trouble,
            protocol=self._rebuild.protocol,
            lag=dict(self._watch.lag),
            committed={p: position.offset for p, position in list(self._commits.confirmed.items())},
            paused=paused,
            buffered_bytes=room.size_bytes,
            counts=SourceCounts(
                self._commits.succeeded,
                self._commits.failed,
                self._lost,
                self._replaced,
                self._unreadable,
                self._fetched.records,
            ),
        )

    def _is_idle_member(self) -> bool:
        return self._rebuild.protocol == "consumer" and self._fetched.has_group

    # The poll thread.

    def abandon(self) -> None:
        """The engine is gone: leave the group, commit nothing more."""
        self._is_abandoned = True
        self.stop()

    def turn(self, now: float, wait_seconds: float) -> bool:
        """One look at the client. Waits up to `wait_seconds` for a first record. True when records were
        handed over."""
        self._now = now
        self.take_requests(self._room)
        self.answer(self._consumer)
        if self._consumer is None:
            if not self._rebuild.is_due(now) or self._stopping is not None or not self._build():
                return False
        if self._settings.is_transactional:
            wait_seconds = min(wait_seconds, TRANSACTIONAL_WAIT_SECONDS)
        try:
            with true_errors():
                got = self._poll(wait_seconds)
                self._after_poll(self._consumer, now)
        except KafkaException as error:
            self._on_exception(error)
            return False
        return got

    def _after_poll(self, consumer: Consumer | None, now: float) -> None:
        assert consumer is not None
        self._commits.send(consumer, now)
        self._watch.look(consumer, self._next, now, self._fetched.groups_seen)
        if not self._watch.trouble and self._replay.changed(consumer, now):
            self._subscribe(consumer)
        if not self._joined and self._watch.given_up(now):
            self._events.failed(f"the source was not reachable for 5 minutes: {self._watch.trouble}")

    def wants_to_close(self) -> bool:
        return self._stopping is not None

    def close(self) -> None:
        """The last commit, then leave the group. Ends the future of `stop`."""
        assert self._stopping is not None
        self.take_requests(self._room)
        self.answer(None)
        consumer, self._consumer = self._consumer, None
        try:
            if consumer is not None:
                self._commit_now(consumer, {})
                self._next.clear()
                consumer.close()
        except KafkaException as error:
            self._log(logging.WARNING, "source_close_failed", reason=str(error))
        finally:
            self._stopping.set_result(None)

    def _commit_now(self, consumer: Consumer, positions: Mapping[TopicPartition, Position]) -> None:
        """The last word on partitions that leave. One that is refused is repeated by the next owner."""
        if self._is_abandoned:
            return
        try:
            self._commits.send_now(consumer, positions)
        except KafkaException as error:
            self._log(logging.WARNING, "last_commit_failed", reason=str(error), partitions=_text(positions))

    def _build(self) -> bool:
        """False when the client refuses its settings: this processor's affair, not that of its neighbours."""
        settings = self._settings
        config = settings.client(self._rebuild.protocol)
        config |= {"error_cb": self._on_error, "on_commit": self._commits.on_commit}
        config |= self._fetched.of_new_client() | self._sign_in
        try:
            self._consumer = Consumer(config, logger=log)
            self._replay.changed(self._consumer, self._now)
            self._subscribe(self._consumer)
        except KafkaException as error:
            self._consumer = None
            self._rebuild.refused(self._now)
            self._events.failed(f"the Kafka client refused its settings: {error.args[0]}")
            return False
        self._log(logging.INFO, "source_started", protocol=self._rebuild.protocol)
        return True

    def _subscribe(self, consumer: Consumer) -> None:
        topics = self._replay.beside(self._settings.topics)
        handlers = {"on_revoke": self._on_revoke, "on_lost": self._on_lost}
        consumer.subscribe(topics, on_assign=self._on_assign, **handlers)

    def _poll(self, wait_seconds: float) -> bool:
        consumer, room = self._consumer, self._room
        assert consumer is not None
        if self._quiesced and not room.all_paused:
            room.all_paused = True
            self._pause(list(room.held), paused=True)
        if not self._quiesced:
            pause, resume = room.changes(self._now)
            self._pause(pause, paused=True)
            self._pause(resume, paused=False)
        free = min(room.free_records(), self._settings.poll_batch_records)
        if not free and not room.all_paused:
            return False  # holding back: the caller sleeps a moment, the records stay in the client
        messages = consumer.consume(max(free, 1), 0)
        if not messages:
            messages = consumer.consume(1, wait_seconds)
            if messages and free > 1:
                messages += consumer.consume(free - 1, 0)
        return self._hand_over(messages) if messages else False

    def _pause(self, partitions: Sequence[TopicPartition], *, paused: bool) -> None:
        assert self._consumer is not None
        if partitions:
            change = self._consumer.pause if paused else self._consumer.resume
            change([ClientPartition(p.topic, p.partition) for p in partitions])

    def _hand_over(self, messages: list[Message]) -> bool:
        got = False
        for runs, event in runs_of(messages):
            got = self._deliver(runs) or got
            if event is not None:
                self._on_event(event)
        return got

    def _deliver(self, runs: Run) -> bool:
        batches: list[Batch] = []
        for name, records in runs.items():
            partition = self._names.get(name)
            expected = self._next.get(partition) if partition is not None else None
            if partition is None or expected is None:
                continue  # fetched before the partition moved away
            run, offsets = fresh(records, expected)
            if not offsets:
                continue
            size = sum(map(len, run))
            self._next[partition] = offsets[-1] + 1
            self._room.took(partition, len(offsets), size)
            run = self._replay.originals(partition.topic, run)
            batches.append(Batch(partition, run, offsets, size))
        if batches:
            self._heard()
            self._events.records(batches)
        return bool(batches)

    def _on_event(self, message: Message) -> None:
        error = message.error()
        assert error is not None
        kind = consumer_kind(error)
        where: tuple[Any, Any] = (message.topic(), message.partition())
        partition = self._names.get(where)
        if kind == "end":
            if partition in self._next:
                assert partition is not None
                offset: Any = message.offset()
                self._next[partition] = max(self._next[partition], offset)
                self._heard()
                self._events.end_of_partition(partition, offset)
        elif kind == "out_of_range" and partition is not None and partition in self._next:
            self._out_of_range(partition)
        elif kind in ("old_broker", "fatal"):
            raise KafkaException(error)
        elif not self._replay.explains(message.topic(), error):
            self._watch.troubled(f"{error.name()}: {error.str()}", self._now)

    def _out_of_range(self, partition: TopicPartition) -> None:
        """Retention overtook a running processor: the same decision as at start, from where it stands."""
        assert self._consumer is not None
        name, number = partition.topic, partition.partition
        low, high = self._consumer.get_watermark_offsets(ClientPartition(name, number), timeout=5.0)
        loss = DataLoss(self._next[partition], low, high)
        self._lost += loss.lost
        policy = self._settings.start.on_data_loss
        if policy == "fail":
            self._events.failed(loss.describe(str(partition)))
            return
        offset = low if policy == "earliest" else high
        self._log(logging.WARNING, "data_lost", reason=loss.describe(str(partition)), continued_at=offset)
        if offset < self._next[partition]:
            self._begin_anew(partition, offset)
        else:
            self._next[partition] = offset
            self._events.end_of_partition(partition, offset)
        self._consumer.seek(ClientPartition(name, number, offset))

    def _begin_anew(self, partition: TopicPartition, offset: int) -> None:
        """The topic was deleted and made again: for the engine, which takes no offset twice, the partition
        was lost and comes as a new one."""
        self._events.lost([partition])
        self.take_requests(self._room)
        self._forget([partition])
        self._next[partition] = offset
        self._room.add(partition)
        self._pause([partition], paused=self._room.all_paused)
        self._commits.adopt({partition: Position(offset)}, {})
        self._events.assigned({partition: Position(offset)})

    def _on_assign(self, consumer: Consumer, assigned: list[ClientPartition]) -> None:
        self._joined = True
        if not assigned:
            consumer.incremental_assign([])
            return
        settings = self._settings
        counts = partial(partition_counts, settings.client(self._rebuild.protocol) | self._sign_in)
        starts = find_starts(consumer, assigned, settings.start_of, counts)
        consumer.incremental_assign(
            [ClientPartition(p.topic, p.partition, o.offset) for p, o in starts.positions.items()]
        )
        # A pause survives revoke and re-assign inside the client: without this a partition that was paused
        # when it left would stand still for good when it comes back.
        consumer.resume([ClientPartition(p.topic, p.partition) for p in starts.positions])
        self._adopt(starts)
        self._lost += starts.lost_records
        self._unreadable += len(starts.unreadable)
        for partition, loss in starts.lost.items():
            self._events.failed(loss.describe(str(partition)))
        for reason in starts.refused.values():
            self._events.failed(reason)

    def _adopt(self, starts: Starts) -> None:
        for partition, reason in starts.unreadable.items():
            self._log(logging.WARNING, "commit_metadata_unreadable", partition=str(partition), reason=reason)
        self._commits.describe(starts.partitions_at_start)
        for partition, position in starts.positions.items():
            self._names[(partition.topic, partition.partition)] = partition
            self._next[partition] = position.offset
            self._room.add(partition)
        self._commits.adopt(starts.positions, starts.committed)
        if self._room.all_paused:
            self._pause(list(starts.positions), paused=True)
        self._heard()
        self._events.assigned(dict(starts.positions))

    def _on_revoke(self, consumer: Consumer, revoked: list[ClientPartition]) -> None:
        mine = [p for p in (TopicPartition(r.topic, r.partition) for r in revoked) if p in self._next]
        if not mine:
            return
        # A source that stops has the engine's last word already.
        member = self.member(consumer) if self._settings.is_transactional else None
        committable = self._events.revoking(mine, member) if self._stopping is None else {}
        self.take_requests(self._room)
        self._commit_now(consumer, {p: o for p, o in committable.items() if p in mine})
        self._forget(mine)

    def _on_lost(self, _consumer: Consumer, lost: list[ClientPartition]) -> None:
        mine = [p for p in (TopicPartition(r.topic, r.partition) for r in lost) if p in self._next]
        if mine:
            self._events.lost(mine)
            self.take_requests(self._room)
            self._forget(mine)

    def _forget(self, partitions: Sequence[TopicPartition]) -> None:
        for partition in partitions:
            self._room.remove(partition)
            self._commits.forget(partition)
            self._next.pop(partition, None)
            self._watch.forget(partition)

    def _on_error(self, error: KafkaError) -> None:
        if consumer_kind(error) in ("fatal", "old_broker"):
            raise KafkaException(error)
        self._watch.troubled(f"{error.name()}: {error.str()}", self._now)

    def _on_exception(self, exception: KafkaException) -> None:
        """The consumer cannot be used any more, or an assignment could not be taken: a new one, after a
        wait."""
        error = exception.args[0]
        kind = consumer_kind(error) if isinstance(error, KafkaError) else "fatal"
        if kind == "old_broker" and self._rebuild.fall_back():
            self._log(logging.WARNING, "group_protocol_fallback", reason=str(error))
        self._watch.troubled(str(error), self._now)
        consumer, self._consumer = self._consumer, None
        mine = list(self._next)
        if mine:
            self._events.lost(mine)
            self.take_requests(self._room)
            self._forget(mine)
        self._joined = False
        self._replaced += 1
        self._commits.start_over()
        self._rebuild.failed(self._now)
        self._log(logging.WARNING, "source_replaced", reason=str(error))
        if consumer is not None:
            try:
                consumer.close()
            except (KafkaException, RuntimeError) as problem:
                self._log(logging.WARNING, "source_close_failed", reason=str(problem))

    def _heard(self) -> None:
        self._watch.healthy()
        self._rebuild.worked()

    def _log(self, level: int, event: str, **fields: object) -> None:
        settings = self._settings
        log_event(log, level, event, processor=settings.processor, group=settings.group_id, **fields)


def _text(positions: Mapping[TopicPartition, Position]) -> str:
    return ", ".join(f"{partition}@{position.offset}" for partition, position in positions.items())
