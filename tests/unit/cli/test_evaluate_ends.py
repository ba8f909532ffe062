"""`penstock eval` takes `$source` and `$emit` at their word, as far as that needs no Kafka."""

from __future__ import annotations

from typing import Any

from workers.cli.run_pipeline import Outcome, Runner
from workers.pipeline import compile_stages

MOMENT = "2025-01-10T20:17:38.387Z"


def outcomes(source: dict[str, Any], emit: dict[str, Any], *documents: dict[str, Any]) -> list[Outcome]:
    """What becomes of documents between these ends."""
    ends = {"connectionName": "kafka"}
    stages = [{"$source": {**ends, "topic": "in", **source}}, {"$emit": {**ends, "topic": "out", **emit}}]
    return list(Runner(compile_stages(stages), {}).run(list(enumerate(documents, 1))))


def test_times_are_read() -> None:
    """A document whose time cannot be read is refused, the others get it where they want it."""
    source = {"timeField": {"$toDate": "$t"}, "tsFieldName": "ts"}
    good, bad = outcomes(source, {}, {"t": MOMENT}, {"t": "never"})
    assert good.as_dict()["document"] == {"t": MOMENT, "ts": {"$date": MOMENT}}
    assert (bad.kind, bad.operator, bad.path) == (
        "refused",
        "$source",
        "pipeline[0].$source.timeField.$toDate",
    )


def test_values_are_written_in_their_format() -> None:
    """Tombstones are null, and a key of the wrong type is refused."""
    config = {"outputFormat": "canonicalJson", "tombstoneWhen": "$gone", "key": "$n", "keyFormat": "int"}
    found = outcomes({}, {"config": config}, {"n": 1, "gone": False}, {"n": 2, "gone": True}, {"n": 2.5})
    assert [one.text for one in found] == ['{"n":{"$numberInt":"1"},"gone":false}', "null", ""]
    assert found[2].reason == "the key is double, its format is int"
