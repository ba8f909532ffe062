"""functions/config.json: every field with its rule, and one report of all that is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.function_host import write_functions
from workers.functions import load, manifest_file
from workers.functions.manifest_file import DEFAULTS, FILE

JS = "exports = () => 1"
SEED_ENTRY = {
    "name": "addOne",
    "private": True,
    "can_evaluate": {"%%user.id": "u-1"},
    "disable_arg_logs": True,
    "run_as_system": False,
    "run_as_user_id": "u-2",
    "run_as_user_id_script_source": "",
}


def app(tmp_path: Path, config: Any, *names: str) -> Path:
    """An app folder with these functions; `config` is JSON data or a text."""
    text = config if isinstance(config, str) else json.dumps(config)
    return write_functions(tmp_path, {**{f"{name}.js": JS for name in names}, "config.json": text})


def problems(folder: Path) -> list[str]:
    """The report, a text each."""
    return [str(problem) for problem in load(folder).problems]


def test_every_field_of_an_entry_is_taken(tmp_path: Path) -> None:
    """An entry with all seven fields governs its function."""
    manifest = load(app(tmp_path, [SEED_ENTRY], "addOne"))
    assert manifest.problems == ()
    access = manifest.entries["addOne"].access
    assert (access.private, access.disable_arg_logs, access.run_as_system) == (True, True, False)
    assert access.run_as_user_id == "u-2"
    assert access.can_evaluate is not None
    assert manifest.unlisted == ()


def test_a_function_without_an_entry_has_the_defaults(tmp_path: Path) -> None:
    """Open to everybody, logged, as its caller; and it is known to have no entry."""
    manifest = load(app(tmp_path, [{"name": "a"}], "a", "utils/b"))
    for name in ("a", "utils/b"):
        access = manifest.entries[name].access
        assert access == manifest_file.AccessRules()
    assert manifest.unlisted == ("utils/b",)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"name": "a", "privat": True}, f"{FILE}: [0].privat: unknown field; known: name, private, can_eval"),
        ({"name": "a", "timeout": 5}, f"{FILE}: [0].timeout: unknown field; known: "),
        ({"name": "a", "private": "yes"}, f"{FILE}: [0].private: is neither true nor false"),
        ({"name": "a", "disable_arg_logs": 1}, f"{FILE}: [0].disable_arg_logs: is neither true nor false"),
        ({"name": "a", "run_as_system": None}, f"{FILE}: [0].run_as_system: is neither true nor false"),
        ({"name": "a", "run_as_user_id": 7}, f"{FILE}: [0].run_as_user_id: is no text"),
        ({"name": "a", "run_as_user_id_script_source": []}, f"{FILE}: [0].run_as_user_id_script_source: is"),
        ({"name": "a", "run_as_user_id": "u", "run_as_user_id_script_source": JS},
         f"{FILE}: [0].run_as_user_id: beside run_as_user_id_script_source; one of the two"),
        ({"name": "a", "can_evaluate": "x"}, f"{FILE}: [0].can_evaluate: is no expression"),
        ({"name": "a", "can_evaluate": {"%or": [{"%%user.id": {"%foo": 1}}]}},
         f"{FILE}: [0].can_evaluate.%or[0].%%user.id.%foo: unknown operator"),
        ({"name": "a", "can_evaluate": {"%%true": {"%function": {"name": "gone"}}}},
         f"{FILE}: [0].can_evaluate: %function names 'gone', which is not there"),
        ({"name": "a", "can_evaluate": {"%%user.id": "%%values.gone"}},
         f"{FILE}: [0].can_evaluate: %%values.gone is not there; values/gone.json"),
        ({"name": "b"}, f"{FILE}: [0].name: 'b' has no source file; functions/b.js or functions/b.py"),
        ({"private": True}, f"{FILE}: [0].name: is missing"),
        ({"name": "../a"}, f"{FILE}: [0].name: is no function name"),
        ({"name": 5}, f"{FILE}: [0].name: is no function name"),
        ("a", f"{FILE}: [0]: is no document"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_entry_is_named(tmp_path: Path, entry: Any, problem: str) -> None:
    """Where, what was found, and what would be right."""
    found = problems(app(tmp_path, [entry], "a"))
    assert [one for one in found if one.startswith(problem)], found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", f"{FILE}: is no list"),
        ('[{"name": "a"},]', f"{FILE}: line 1, column 16: "),
        ('[{"name": "a", "name": "b"}]', f"{FILE}: the key 'name' a second time"),
        ("", f"{FILE}: line 1, column 1: "),
        ("[" * 200, f"{FILE}: line 1, column 101: nested more than 100 levels deep"),
        ('[{"name": "a"}, {"name": "a"}]', f"{FILE}: [1].name: 'a' a second time; one entry; see [0]"),
    ],
)
def test_a_file_that_is_no_manifest_is_named(tmp_path: Path, text: str, problem: str) -> None:
    """Syntax by line and column; duplicates by both places."""
    found = problems(app(tmp_path, text, "a"))
    assert [one for one in found if one.startswith(problem)], found


def test_everything_wrong_with_a_folder_is_one_report(tmp_path: Path) -> None:
    """Sources, entries, limits and values: all at once."""
    folder = app(
        tmp_path,
        [{"name": "a", "bad": 1}, {"name": "a"}, {"name": "gone"}, {"name": "link"}],
        "a", "bad name",
    )  # fmt: skip
    outside = tmp_path / "outside.js"
    outside.write_text(JS)
    (folder / "functions/link.js").symlink_to(outside)
    (folder / "functions/none.js").write_text("// exports = commented out\nconst exported = 1;\n")
    (folder / "functions/none.py").write_text("def handel(event, context): return 1\n")
    (folder / "functions/limits.yaml").write_text("a: {memory: 1KiB}\nz: {}\n")
    (folder / "values").mkdir()
    (folder / "values/x.json").write_text('{"name": "y", "value": 1}')
    assert [text.partition(";")[0] for text in problems(folder)] == [
        "functions/bad name.js: 'bad name' is no function name",
        "functions/link.js: is a link that leads out of functions/",
        "functions/none.js: exports no function",
        "functions/none.py: exports no function",
        f"{FILE}: [0].bad: unknown field",
        f"{FILE}: [1].name: 'a' a second time",
        f"{FILE}: [2].name: 'gone' has no source file",
        "functions/limits.yaml: a.memory: found 1 KiB",
        "functions/limits.yaml: z: there is no such function",
        "values/x.json: name: found 'y'",
    ]


@pytest.mark.parametrize(
    ("file", "source", "exports"),
    [
        ("f.js", "module.exports = () => 1", True),
        ("f.js", "exports.handler = () => 1", True),
        ("f.js", "const x = '// not a comment'; exports = () => 1", True),
        ("f.js", "const pattern = /[/*]/; exports = () => 1", True),
        ("f.js", "/* exports = () => 1 */", False),
        ("f.js", "const text = `exports = 1`", True),
        ("f.js", "", False),
        ("f.py", "from _shared import handler", True),
        ("f.py", "from _shared import *", True),
        ("f.py", "lambda_handler = make()", True),
        ("f.py", "async def handler(event, context): ...", True),
        ("f.py", "def broken(", True),
        ("f.py", "# def handler(event, context): ...", False),
    ],
)
def test_a_source_that_cannot_export_a_function_is_refused(
    tmp_path: Path, file: str, source: str, exports: bool
) -> None:
    """Seen without running it; what only its engine can see is said at its first call."""
    found = problems(write_functions(tmp_path, {file: source}))
    assert ("exports no function" in str(found)) is not exports


def test_missing_entries_are_added_and_the_others_stay_as_they_are(tmp_path: Path) -> None:
    """Order, keys and values of existing entries are kept; a second writing changes nothing."""
    config = [{"private": True, "name": "z"}, {"name": "a", "can_evaluate": {"%%true": True}}]
    folder = app(tmp_path, config, "z", "b", "a", "utils/c")
    for _ in range(2):
        read = manifest_file.read(folder)
        manifest_file.write(folder, manifest_file.complete(read, load(folder).entries))
        text = (folder / FILE).read_text()
        entries = json.loads(text)
        assert entries[:2] == config
        assert list(entries[0]) == ["private", "name"]
        assert entries[2:] == [{"name": "b", **DEFAULTS}, {"name": "utils/c", **DEFAULTS}]
        assert text == json.dumps(entries, indent=2) + "\n"
    assert load(folder).unlisted == ()
    assert sorted(os.listdir(folder / "functions")) == ["a.js", "b.js", "config.json", "utils", "z.js"]


def test_a_manifest_that_cannot_be_written_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk is full in the middle, the old file is there and nothing beside it."""
    folder = app(tmp_path, [{"name": "a"}], "a", "b")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    read = manifest_file.read(folder)
    with pytest.raises(OSError, match="No space left"):
        manifest_file.write(folder, manifest_file.complete(read, ["a", "b"]))
    assert json.loads((folder / FILE).read_text()) == [{"name": "a"}]
    assert sorted(os.listdir(folder / "functions")) == ["a.js", "b.js", "config.json"]
