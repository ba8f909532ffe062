"""Keeps the port `Membership`: what one look at the consumer, on the poll thread, says of its group."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from confluent_kafka import TopicPartition as ClientPartition

from workers.model import Position, TopicPartition

Texts = Callable[[Mapping[TopicPartition, Position]], list[ClientPartition]]
"""Makes commits out of positions (`Commits.texts`)."""


class KafkaMembership:
    """Assignment and group metadata of the same moment: whoever commits with the one must go by the other,
    because brokers look at member and epoch and not at partitions."""

    __slots__ = ("_metadata", "_owned", "_texts")

    def __init__(self, owned: frozenset[TopicPartition], metadata: object, texts: Texts) -> None:
        self._owned, self._metadata, self._texts = owned, metadata, texts

    def owns(self, partition: TopicPartition) -> bool:
        return partition in self._owned

    def offsets(self, positions: Mapping[TopicPartition, Position]) -> object:
        return self._texts({p: at for p, at in positions.items() if p in self._owned}), self._metadata
