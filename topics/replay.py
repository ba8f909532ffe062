"""The two topics beside dead letters that `penstock dlq replay` writes. Pure.

`<processor>.replay` holds records on their second way and is read by that processor alone; the compacted
`<dead-letter topic>.replayed` names what was replayed, so that nothing is twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from topics.contract import TopicContract


def replay_topic(processor: str) -> str:
    """The topic that this processor reads beside those of its `$source`."""
    return f"{processor}.replay"


def replayed_topic(dead_letters: str) -> str:
    """Where the replays of a dead-letter topic are kept."""
    return f"{dead_letters}.replayed"


def replay_contracts(
    processor: str, sources: Sequence[str], partitions: int, dead_letters: str
) -> tuple[TopicContract, TopicContract]:
    """What the two must be. `partitions` are those of the source, so that keys stay together.

    Records keep their times on the replay topic, and retention goes by those: anything but `forever` could
    delete an old record before the processor has read it. It takes what the sources take, with room for the
    headers of a replay.
    """
    queue: dict[str, Any] = {
        "name": replay_topic(processor),
        "partitions": partitions,
        "retention": "forever",
        "cleanup": "delete",
        "deadLettersOf": list(sources),
    }
    ledger: dict[str, Any] = {"name": replayed_topic(dead_letters), "partitions": 1, "cleanup": "compact"}
    return TopicContract.model_validate(queue), TopicContract.model_validate(ledger)
