"""Which functions a folder has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fakes.function_host import write_functions
from workers.errors import Invalid
from workers.functions import FunctionHost, HostSettings, load
from workers.functions.names import NAME_RULE

JS = "exports = () => 1"
PY = "def handler(event, context): return 1"


def _problems(app_dir: Path) -> list[str]:
    return [str(problem) for problem in load(app_dir).problems]


def test_sources_become_functions_with_the_default_limits(tmp_path: Path) -> None:
    """The name is the path below functions/ without its ending; folders may be nested."""
    write_functions(
        tmp_path,
        {"addOne.js": JS, "utils/add.js": JS, "resize.py": PY, "notes.txt": "", "config.json": "[]"},
    )
    manifest = load(tmp_path, HostSettings(timeout_seconds=2.0, memory_bytes=1 << 20, concurrency=3))
    assert manifest.problems == ()
    assert {name: entry.language for name, entry in manifest.entries.items()} == {
        "addOne": "javascript",
        "utils/add": "javascript",
        "resize": "python",
    }
    entry = manifest.entries["utils/add"]
    assert (entry.file, entry.source) == ("functions/utils/add.js", tmp_path / "functions/utils/add.js")
    assert (entry.timeout_seconds, entry.memory_bytes, entry.concurrency) == (2.0, 1 << 20, 3)


def test_modules_of_a_function_are_no_functions(tmp_path: Path) -> None:
    """Names with a leading underscore or dot and node_modules are left alone."""
    write_functions(
        tmp_path, {"_shared.py": "", "_lib/a.js": "", ".git/b.js": "", "node_modules/c/d.js": "", "e.js": JS}
    )
    assert list(load(tmp_path).entries) == ["e"]


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    """Each bad name, duplicate and link out of the folder, each with its file."""
    write_functions(tmp_path, {"foo.js": JS, "foo.py": PY, "bad name.js": JS, "fine.js": JS})
    outside = tmp_path / "outside.js"
    outside.write_text("exports = () => 1", "utf-8")
    (tmp_path / "functions" / "link.js").symlink_to(outside)
    (tmp_path / "functions" / "gone.js").symlink_to(tmp_path / "nowhere.js")
    assert _problems(tmp_path) == [
        f"functions/bad name.js: 'bad name' is no function name; {NAME_RULE}",
        "functions/foo.py: a second source of the function 'foo'; keep this file or functions/foo.js",
        "functions/gone.js: is no readable file; a JavaScript or Python source file",
        "functions/link.js: is a link that leads out of functions/; copy the file here",
    ]


def test_a_host_for_a_bad_folder_is_refused(tmp_path: Path) -> None:
    """Nothing is started; the error carries the problems."""
    write_functions(tmp_path, {"foo.js": JS, "foo.py": PY})
    with pytest.raises(Invalid, match="second source of the function 'foo'"):
        FunctionHost(tmp_path)
    with pytest.raises(Invalid, match="is no folder"):
        FunctionHost(tmp_path / "nowhere")


def test_a_folder_without_functions_is_an_empty_host(tmp_path: Path) -> None:
    """An app that calls AWS only has no functions folder."""
    manifest = load(tmp_path)
    assert (dict(manifest.entries), manifest.problems) == ({}, ())


def test_linked_folders_are_not_followed(tmp_path: Path) -> None:
    """They may lead anywhere, or back up into a circle."""
    write_functions(tmp_path, {"a.js": JS})
    os.symlink(tmp_path, tmp_path / "functions" / "loop")
    assert list(load(tmp_path).entries) == ["a"]
