"""Aliases of `functions/limits.yaml`: names that callers may put behind a function's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.function_host import ADD_ONE, write_functions
from workers.functions.manifest import Manifest, load


def loaded(app_dir: Path, limits: str) -> Manifest:
    """An app of two functions with these limits."""
    return load(write_functions(app_dir, {"a.js": ADD_ONE, "b.js": ADD_ONE, "limits.yaml": limits}))


def test_a_functions_own_aliases_replace_those_of_all(tmp_path: Path) -> None:
    """As every other field of the file."""
    entries = loaded(tmp_path, '{"*": {aliases: [live]}, a: {aliases: [blue, green]}}').entries
    assert (entries["a"].aliases, entries["b"].aliases) == (frozenset({"blue", "green"}), frozenset({"live"}))
    assert loaded(tmp_path, "{}").entries["a"].aliases == frozenset()


@pytest.mark.parametrize("wrong", ["live", "[1]", '["1"]', '["a b"]', '["$LATEST"]', '[""]', "[x, null]"])
def test_what_is_no_alias_is_refused(tmp_path: Path, wrong: str) -> None:
    """Versions are numbers, and $LATEST is always there."""
    found = loaded(tmp_path, f"a: {{aliases: {wrong}}}")
    assert [problem.path for problem in found.problems] == ["a.aliases"]
