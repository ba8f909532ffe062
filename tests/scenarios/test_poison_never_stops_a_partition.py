"""Ten kinds of records that can never be documents, between good ones."""

from __future__ import annotations

import pytest

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until

TOO_LARGE = b'{"id":0,"pad":"' + b"x" * 70_000 + b'"}'
POISON: dict[str, bytes] = {
    "no JSON": b"hello",
    "cut off": b'{"id": 1, "name": "a',
    "empty": b"",
    "invalid UTF-8": b'{"name": "\xe4"}',
    "an array": b"[1, 2]",
    "a number": b"17",
    "null in JSON": b"null",
    "too deep": b'{"a":' * 101 + b"1" + b"}" * 101,
    "malformed Extended JSON": b'{"at": {"$date": []}}',
    "too large": TOO_LARGE,
    "NaN": b'{"a": NaN}',
}


@pytest.mark.kafka
@pytest.mark.parametrize("calls", [False, True], ids=["plain", "with a call"])
def test_poison_never_stops_a_partition(world: World, calls: bool) -> None:
    """Each kind is dead-lettered byte for byte with its reason, the good records around it are results, and a
    tombstone passes."""
    world.start_stub(f={"outcome": "static", "body": "1"})
    source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    call = {"$externalFunction": {"connectionName": "functions", "functionName": "f", "as": "x"}}
    stages = [call] if calls else [{"$addFields": {"x": 1}}]
    app = world.write_app(
        world.connections(), {"p": story(world, source, results, dead, stages, maxRecordBytes=65_536)}
    )
    values: list[object] = []
    for number, raw in enumerate(POISON.values()):
        values += [{"id": number}, raw]
    world.produce(source, [*values, None, {"id": len(POISON)}])
    world.ready_worker(app)
    until(lambda: world.lag(group_of(source), source) == 0, 30, "lag 0")

    refused = world.read(dead)
    assert [record.value for record in refused] == list(POISON.values())
    reasons = dict(zip(POISON, (record.why["errInfo"]["reason"] for record in refused), strict=True))
    assert all(record.why["operatorName"] == "$source" for record in refused)
    words = {
        "no JSON": "not JSON",
        "empty": "empty",
        "invalid UTF-8": "UTF-8",
        "an array": "array",
        "a number": "number",
        "too deep": "100 levels",
        "too large": "65536",
        "malformed Extended JSON": "$date",
    }
    for kind, word in words.items():
        assert word in reasons[kind], reasons
    passed = world.read(results)
    assert [record.value for record in passed if record.value is None] == [None], (
        "the tombstone passes by default"
    )
    assert [record.json for record in passed if record.value] == [
        {"id": n, "x": 1} for n in range(len(POISON) + 1)
    ]
