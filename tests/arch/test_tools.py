"""`make check` can fail: every tool that it runs is given a fault, with this project's own settings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.arch.sources import ROOT, tracked

BIN = Path(sys.executable).parent

# What `make check` runs, each with the test below that sees it fail.
CHECKED = (
    "ruff format --check .",
    "ruff check .",
    "mypy",
    "lint-imports --no-cache",
    "python -m pytest -q tests/arch",
)


def run(*command: str, stdin: str = "", cwd: Path = ROOT) -> tuple[int, str]:
    """(exit code, everything it said) of a tool of this environment."""
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=cwd, input=stdin, text=True, capture_output=True, check=False,
        env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": ""},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_make_check_runs_every_gate_that_is_tried_here() -> None:
    """A tool that is added there is given a fault here, and none is run in a form that only repairs."""
    recipe = re.search(
        r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert recipe is not None
    assert tuple(re.findall(r"\$\(BIN\)/(.*)", recipe[1])) == CHECKED
    assert "-@" not in recipe[1], "a failing gate fails `make check`"


def test_ci_runs_every_test_there_is() -> None:
    """It stops at the first failure; what `make test` leaves to `make chart` is all that is left out."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "set -euo pipefail" in script
    assert re.findall(r"^make .*$", script, re.MULTILINE) == ["make check", "make test", "make chart"]
    runs = re.findall(r"-m (pytest .*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert [re.findall(r" (tests/\S+)", options) for options in runs if "--ignore" in options] == [
        ["tests/chart"]
    ]
    assert "pytest -q tests/chart -n 2" in runs


def test_ruff_format_sees_bad_layout() -> None:
    """--check: it says so and changes nothing."""
    bad, good = "x = {  'a':1 }\n", 'x = {"a": 1}\n'
    assert run("ruff", "format", "--check", "--stdin-filename", "workers/planted.py", "-", stdin=bad)[0] == 1
    assert run("ruff", "format", "--check", "--stdin-filename", "workers/planted.py", "-", stdin=good)[0] == 0


@pytest.mark.parametrize(
    ("path", "planted", "rule"),
    [
        ("workers/planted.py", "import os\n", "F401"),
        ("workers/planted.py", "x = undefined\n", "F821"),
        ("workers/planted.py", "x = '" + "a" * 120 + "'\n", "E501"),
        ("workers/planted.py", "print('x')\n", "T201"),
        ("workers/cli/planted.py", "def f(x: list[int] = []) -> None: ...\n", "B006"),
        (
            "workers/engine/planted.py",
            "import time\n\n\nasync def f() -> None:\n    time.sleep(1)\n",
            "ASYNC251",
        ),
        ("workers/planted.py", "import logging\n\nlogging.getLogger().info(f'{1}')\n", "G004"),
        ("workers/planted.py", "import subprocess\n\nsubprocess.run('ls', shell=True)\n", "S602"),
        ("workers/planted.py", "from datetime import datetime\n\nx = datetime.now()\n", "DTZ005"),
        ("workers/planted.py", "x: int = ''  # type: ignore\n", "PGH003"),
        ("workers/planted.py", "def f(x: object) -> None:\n    x._own()\n", "SLF001"),
        ("tests/planted.py", "x = undefined\n", "F821"),
    ],
)
def test_ruff_check_sees_a_fault(path: str, planted: str, rule: str) -> None:
    """One planted fault for each family of rules that this project counts on."""
    code, said = run(
        "ruff", "check", "--output-format", "concise", "--stdin-filename", path, "-", stdin=planted
    )
    assert code == 1
    assert rule in said


def test_ruff_check_accepts_what_is_right() -> None:
    """The complaints above are about the faults."""
    assert run("ruff", "check", "--stdin-filename", "workers/planted.py", "-", stdin="x = 1\n")[0] == 0


PLANTED_TYPES = """\
from collections.abc import Sequence

wrong: int = "text"
ignored: int = 1  # type: ignore[assignment]


def untyped(x):
    return x


def bare(x: Sequence) -> None: ...


def calls() -> None:
    untyped(1)
"""


def test_mypy_sees_wrong_missing_and_needlessly_silenced_types(tmp_path: Path) -> None:
    """strict, with this project's settings: each kind is told by its code."""
    (tmp_path / "planted.py").write_text(PLANTED_TYPES, encoding="utf-8")
    places = ("--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path / "cache"))
    code, said = run("mypy", *places, str(tmp_path / "planted.py"))
    assert code == 1
    for complaint in ("assignment", "unused-ignore", "no-untyped-def", "type-arg", "no-untyped-call"):
        assert f"[{complaint}]" in said


def test_mypy_is_told_to_look_at_everything() -> None:
    """Tests and benchmarks are code; a package that is missing in `files` would never be looked at."""
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (files,) = re.findall(r"^files = \[(.*)\]", settings, re.MULTILINE)
    packages = {path.split("/")[0] for path in tracked() if path.endswith(".py") and "/" in path}
    with_code = {name for name in packages if (ROOT / name / "__init__.py").is_file()}
    assert with_code <= set(re.findall(r'"(\w+)"', files))


# Contract by contract: what is planted, and what import-linter has to say about it.
IMPORTS = {
    "workers.engine.worker": ("workers.adapters.kafka_consumer", "each layer sees only the layers under it"),
    "workers.pipeline.program": ("workers.calls.retry", "each layer sees only the layers under it"),
    "workers.model": ("workers.ports", "each layer sees only the layers under it"),
    "workers.local.kafka": ("workers.functions.host", "each layer sees only the layers under it"),
    "topics.headers": ("workers.model", "topics know nothing of workers"),
    "workers.supervisor.run": ("workers.engine.worker", "edge programs never reach the engine"),
    "workers.engine.processor": ("faust", "the data plane and its supervisor run without faust"),
    "workers.progress.frontier": ("time", "decisions do no I/O and read no clock"),
    "workers.emit.dead_letter": ("confluent_kafka", "decisions do no I/O and read no clock"),
    "topics.contract": ("random", "decisions do no I/O and read no clock"),
    "workers.engine.fanout": ("pycurl", "the engine names no client library"),
    "workers.cli": ("topics.admin", "the topics command alone administers topics"),
    "workers.pipeline.stages.one": ("workers.pipeline.stages.other", "one operator never imports another"),
    "workers.pipeline.expressions.one": (
        "workers.pipeline.expressions.other",
        "one family of expressions never imports another",
    ),
    "workers.pipeline.accumulators.one": (
        "workers.pipeline.accumulators.other",
        "one family of accumulators never imports another",
    ),
    "workers.counting": ("tests", "nothing that runs imports its tests or benchmarks"),
}


OPERATORS = ("stages", "expressions", "accumulators")


def skeleton(folder: Path, planted: dict[str, str]) -> Path:
    """A tree with this project's modules, all empty but for the planted imports, and its contracts."""
    names = [
        path for path in tracked() if path.endswith(".py") and path.split("/")[0] in ("workers", "topics")
    ]
    operators = [f"workers/pipeline/{kind}/{name}.py" for kind in OPERATORS for name in ("one", "other")]
    for path in (*names, *operators):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        file.write_text(f"import {planted[module]}\n" if module in planted else "", encoding="utf-8")
    (folder / "pyproject.toml").write_text(
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    return folder


def verdicts(said: str) -> dict[str, str]:
    """{contract: KEPT or BROKEN} of an import-linter report."""
    return dict(re.findall(r"^(.+) (KEPT|BROKEN)\b", said, re.MULTILINE))


def test_the_contracts_hold() -> None:
    """The imports of this repository are as the design draws them."""
    code, said = run("lint-imports", "--no-cache", "--no-logo")
    assert code == 0, said
    assert set(verdicts(said)) == {contract for _, contract in IMPORTS.values()}


def test_every_contract_holds_for_a_tree_without_imports(tmp_path: Path) -> None:
    """What is broken below is broken by what is planted."""
    code, said = run("lint-imports", "--no-cache", "--no-logo", cwd=skeleton(tmp_path, {}))
    assert code == 0, said
    assert set(verdicts(said).values()) == {"KEPT"}


@pytest.mark.parametrize("module", IMPORTS)
def test_a_contract_sees_a_planted_import(module: str, tmp_path: Path) -> None:
    """The right contract breaks, and the report names the import."""
    target, contract = IMPORTS[module]
    code, said = run("lint-imports", "--no-cache", "--no-logo", cwd=skeleton(tmp_path, {module: target}))
    assert code == 1
    assert verdicts(said)[contract] == "BROKEN"
    assert f"{module} -> {target} (l.1)" in said


def test_a_module_outside_of_every_layer_is_seen(tmp_path: Path) -> None:
    """A new package has to be given its place."""
    folder = skeleton(tmp_path, {})
    (folder / "workers" / "newcomer.py").write_text("", encoding="utf-8")
    code, said = run("lint-imports", "--no-cache", "--no-logo", cwd=folder)
    assert code == 1
    assert "newcomer" in said


def test_pytest_fails_on_warnings_unknown_marks_and_passes_that_were_not_expected(tmp_path: Path) -> None:
    """The settings of pyproject.toml are those that the tests run under."""
    (tmp_path / "pyproject.toml").write_text(
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_planted.py").write_text(
        "import warnings, pytest\n"
        "def test_warns(): warnings.warn('w')\n"
        "@pytest.mark.xfail(reason='r')\ndef test_passes(): pass\n",
        encoding="utf-8",
    )  # fmt: skip
    code, said = run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert code == 1
    assert "2 failed" in said
    (tmp_path / "tests" / "test_planted.py").write_text(
        "import pytest\n@pytest.mark.unknown\ndef test_a(): pass\n", encoding="utf-8"
    )
    code, said = run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert code == 2
    assert "unknown" in said
