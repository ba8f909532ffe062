"""What the manifest lets run reaches the results; what it does not, and what throws, the dead letters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.function_host import ADD_ONE, function_host, write_functions
from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until

SYSTEM = "exports = () => [context.user?.type ?? null, context.user?.id ?? null, context.runningAsSystem()]"
SOURCES = {
    "addOne.js": ADD_ONE,
    "viaAddOne.js": "exports = (doc) => context.functions.execute('addOne', doc.n)",
    "secret.js": "exports = (doc) => 'secret ' + doc.n",
    "viaSecret.js": "exports = (doc) => context.functions.execute('secret', doc)",
    "large.js": "exports = (doc) => doc.n",
    "asSystem.js": SYSTEM,
    "asUser.js": SYSTEM,
    "asScript.js": SYSTEM,
    "asNobody.js": SYSTEM,
}
MANIFEST: list[dict[str, Any]] = [
    {"name": "secret", "private": True},
    {"name": "large", "can_evaluate": {"%%args.n": {"%gt": "%%values.least"}}},
    {"name": "asSystem", "run_as_system": True, "run_as_user_id": "u-9", "run_as_user_id_script_source": ""},
    {"name": "asUser", "run_as_user_id": "u-1"},
    {"name": "asScript", "run_as_user_id_script_source": "exports = (doc) => 'u-' + doc.n"},
]


def processor(world: World, topics: tuple[str, str, str], function: str) -> dict[str, Any]:
    """Calls one function; each processor reads the same source with a group of its own."""
    source, results, dead = topics
    # Who may not call `secret` may not with any document: that is held, and given up here at once.
    call = {
        "connectionName": "functions",
        "functionName": function,
        "as": "answer",
        "hold": {"timeout": "1s"},
    }
    stages: list[dict[str, Any]] = [
        {"$externalFunction": call},
        {"$addFields": {"by": function}},
    ]
    made = story(world, source, results, dead, stages)
    made["pipeline"][0]["$source"]["config"]["group_id"] = f"{group_of(source)}-{function}"
    return made


@pytest.mark.kafka
def test_the_manifest_governs_calls_from_a_pipeline(world: World) -> None:
    """private, can_evaluate, run_as_*: both outcomes of each, several functions, two documents; and the
    manifest's own addOne, whose Error arrives with type, message and stack."""
    folder = write_functions(world.folder / "hosted", {**SOURCES, "config.json": json.dumps(MANIFEST)})
    (folder / "values").mkdir()
    (folder / "values/least.json").write_text('{"name": "least", "value": 10}')
    topics = source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
    names = [name.removesuffix(".js") for name in SOURCES]
    with function_host(folder) as endpoint:
        world.stub_url = endpoint
        app = world.write_app(world.connections(), {name: processor(world, topics, name) for name in names})
        world.produce(source, [{"n": 5}, {"n": 50}])
        world.ready_worker(app)
        groups = [f"{group_of(source)}-{name}" for name in names]
        until(
            lambda: all(world.lag(group, source) == 0 for group in groups), 30, "every processor at the end"
        )

    passed = {(one.json["by"], one.json["n"]): one.json["answer"] for one in world.read(results)}
    assert passed == {
        ("viaAddOne", 5): 6, ("viaAddOne", 50): 51,
        ("viaSecret", 5): "secret 5", ("viaSecret", 50): "secret 50",
        ("large", 50): 50,
        ("asSystem", 5): ["system", None, True], ("asSystem", 50): ["system", None, True],
        ("asUser", 5): ["normal", "u-1", False], ("asUser", 50): ["normal", "u-1", False],
        ("asScript", 5): ["normal", "u-5", False], ("asScript", 50): ["normal", "u-50", False],
        ("asNobody", 5): [None, None, False], ("asNobody", 50): [None, None, False],
    }  # fmt: skip
    letters = {(one.why["processorName"], one.json["n"]): one.why["errInfo"] for one in world.read(dead)}
    assert {place: info["class"] for place, info in letters.items()} == {
        ("addOne", 5): "Error", ("addOne", 50): "Error",
        ("secret", 5): "AccessDeniedException", ("secret", 50): "AccessDeniedException",
        ("large", 5): "AccessDeniedException",
    }  # fmt: skip
    thrown = letters["addOne", 5]
    assert thrown["reason"] == "Error: You must call addOne() with a number"
    assert thrown["stack"][0] == "Error: You must call addOne() with a number"
    assert "addOne" in thrown["stack"][1]
    assert "functions/addOne.js:3" in thrown["stack"][1]
    assert "answered 403: " in letters["secret", 5]["reason"]
    # Another document may be let through: no hold, and the reason says it.
    assert "answered 403 (ArgumentsNotAllowed): " in letters["large", 5]["reason"]
    assert letters["large", 5]["scope"] == "record"
    assert "stack" not in letters["secret", 5]
