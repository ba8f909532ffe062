"""The replay topic of a processor, which may not be there: it is read from when somebody replays. Poll thread
only.

A subscription to a topic that does not exist, or that we may not see, would be an error of the whole source.
So the broker is asked for it, and the subscription follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException

from workers.emit.replayed import as_original
from workers.ports import SourceRecord

# A replay begins to be read this long after its topic was made. One request of some 60 bytes.
LOOK_SECONDS: Final = 10.0
# The poll thread stands still for it. A broker that is slower is asked again at the next look.
ASK_SECONDS: Final = 1.0


class ReplayTopic:
    """Whether `topic` is there, as it was last seen."""

    def __init__(self, topic: str | None) -> None:
        """None: nothing is ever replayed to this source."""
        self.topic = topic
        self._is_there = False
        self._looked_at = float("-inf")

    def beside(self, topics: Sequence[str]) -> list[str]:
        """What to subscribe to."""
        return [*topics, self.topic] if self._is_there and self.topic is not None else list(topics)

    def changed(self, consumer: Consumer, now: float) -> bool:
        """Look, if it is time to. True when the topic came or went, so that the subscription must follow."""
        if self.topic is None or now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        before = self._is_there
        try:
            # Asked by a consumer, this creates no topic.
            found = consumer.list_topics(self.topic, timeout=ASK_SECONDS).topics.get(self.topic)
        except KafkaException:
            return False
        self._is_there = found is not None and found.error is None and bool(found.partitions)
        return self._is_there != before

    def explains(self, topic: str | None, error: KafkaError) -> bool:
        """Whether an error only says that the replay topic has just gone: the source is well without it."""
        return (
            self.topic is not None
            and topic == self.topic
            and error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
        )

    def originals(self, topic: str, records: list[SourceRecord]) -> list[SourceRecord]:
        """Records as the engine sees them: those of the replay topic are the originals again."""
        return records if topic != self.topic else [as_original(record) for record in records]
