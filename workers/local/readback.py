"""Reads topics back: where they begin and end, what a group has committed, and every record in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Literal, Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from workers.local.failure import LocalFailure

ASK_SECONDS: Final = 15.0
# Between two records of a range that is known to be there: longer means that the cluster is gone.
SILENT_SECONDS: Final = 30.0
FETCH_RECORDS: Final = 1_000

Places = dict[tuple[str, int], int]
"""(topic, partition) -> offset"""


class Reader:
    """One client for one group, which it never joins: it commits nothing and moves nobody's partitions."""

    def __init__(self, connection: Mapping[str, Any], group: str) -> None:
        self._servers = connection.get("bootstrap.servers")
        self._client = Consumer(
            {
                "log_level": 0, "enable.auto.commit": False, "auto.offset.reset": "earliest", **connection,
                "group.id": group, "enable.partition.eof": True,
            }
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the client. Idempotent."""
        self._client.close()

    def partitions(self, topics: Iterable[str]) -> list[tuple[str, int]]:
        """Every partition of those topics that exist. Raises LocalFailure when nothing answers."""
        try:
            known = self._client.list_topics(timeout=ASK_SECONDS).topics
        except KafkaException as error:
            raise self._failure("asking for the topics", error) from None
        return [
            (topic, number)
            for topic in topics
            if topic in known
            for number in sorted(known[topic].partitions)
        ]

    def ends(self, topics: Iterable[str]) -> Places:
        """The offset behind the last record of each partition."""
        return {place: self._watermarks(place)[1] for place in self.partitions(topics)}

    def begins(self, topics: Iterable[str]) -> Places:
        """The offset of the first record that each partition still has, or its end."""
        return {place: self._watermarks(place)[0] for place in self.partitions(topics)}

    def committed(self, topics: Iterable[str]) -> Places:
        """What the group has committed; partitions without a commit are left out."""
        wanted = self.partitions(topics)
        if not wanted:
            return {}
        try:
            answers = self._client.committed(
                [TopicPartition(*place) for place in wanted], timeout=ASK_SECONDS
            )
        except KafkaException as error:
            raise self._failure("asking for committed offsets", error) from None
        return {(answer.topic, answer.partition): answer.offset for answer in answers if answer.offset >= 0}

    def starts(self, topics: Iterable[str], reset: Literal["earliest", "latest"]) -> Places:
        """Where the group goes on in each partition: what it committed, else where `reset` lets it begin."""
        wanted = self.partitions(topics)
        committed = self.committed(topics)
        side = 1 if reset == "latest" else 0
        return {
            place: committed[place] if place in committed else self._watermarks(place)[side]
            for place in wanted
        }

    def read(self, start: Places, end: Places, handle: Callable[[Any], None]) -> int:
        """Hand over every record, as a client's Message, from `start` (a partition that is not in it: its
        beginning) to before `end`.

        Returns how many. Raises LocalFailure when the cluster stops answering.
        """
        ranges = {}
        for place, stop in end.items():
            first = start[place] if place in start else self._watermarks(place)[0]
            if first < stop:
                ranges[place] = (first, stop)
        if not ranges:
            return 0
        self._client.assign([TopicPartition(*place, first) for place, (first, _) in ranges.items()])
        try:
            return self._read(ranges, handle)
        finally:
            self._client.unassign()

    def _read(self, ranges: Mapping[tuple[str, int], tuple[int, int]], handle: Callable[[Any], None]) -> int:
        count, left = 0, set(ranges)
        deadline = time.monotonic() + SILENT_SECONDS
        while left:
            for message in self._client.consume(FETCH_RECORDS, timeout=0.2):
                place = (str(message.topic()), int(message.partition() or 0))
                error = message.error()
                is_within = place in ranges and int(message.offset() or 0) < ranges[place][1]
                if error is None and is_within:
                    handle(message)
                    count += 1
                elif error is not None and error.name() == "_PARTITION_EOF" and not is_within:
                    left.discard(place)  # also where retention took what was to be read
                deadline = time.monotonic() + SILENT_SECONDS
            # Not by the last record's offset: markers of transactions end a partition without a record.
            for answer in self._client.position([TopicPartition(*place) for place in left]) if left else ():
                if answer.offset >= ranges[answer.topic, answer.partition][1]:
                    left.discard((answer.topic, answer.partition))
            if left and time.monotonic() > deadline:
                raise LocalFailure(f"reading back {len(left)} partitions: nothing for {SILENT_SECONDS:g} s")
        return count

    def _watermarks(self, place: tuple[str, int]) -> tuple[int, int]:
        try:
            low, high = self._client.get_watermark_offsets(TopicPartition(*place), timeout=ASK_SECONDS)
        except KafkaException as error:
            raise self._failure(f"asking for the ends of {place[0]}[{place[1]}]", error) from None
        return low, high

    def _failure(self, doing: str, error: KafkaException) -> LocalFailure:
        return LocalFailure(f"{doing} of the Kafka at {self._servers}: {error.args[0].str()}")
