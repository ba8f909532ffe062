"""The chart's unit tests, run by helm-unittest: helm/penstock/tests."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.chart.rendering import CHART, HELM_SECONDS
from tests.chart.toolchain import Tools

SUITES: Final = tuple(sorted((CHART / "tests").glob("*_test.yaml")))


def run(tools: Tools, chart: Path, *suites: str) -> tuple[int, str]:
    """(exit code, what was said) of helm-unittest over these suites, paths within the chart."""
    chosen = [argument for suite in suites for argument in ("--file", suite)]
    done = subprocess.run(
        [str(tools.helm_unittest), "--strict", "--color=false", *chosen, str(chart)],
        timeout=HELM_SECONDS, check=False, capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_there_are_suites() -> None:
    """Without files nothing below would run; a file of another ending is not run by anybody."""
    assert SUITES != ()
    assert [path.name for path in (CHART / "tests").glob("*.yaml") if path not in SUITES] == []


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.name)
def test_a_suite_passes(tools: Tools, suite: Path) -> None:
    """Each with at least one test."""
    code, said = run(tools, CHART, f"tests/{suite.name}")
    assert code == 0, said
    passed = re.search(r"Tests:\s+(\d+) passed", said)
    assert passed is not None, said
    assert int(passed[1]) > 0


def test_a_suite_that_is_wrong_is_seen(tools: Tools, tmp_path: Path) -> None:
    """The gate can fail: of two tests that contradict each other one does."""
    chart = tmp_path / "penstock"
    shutil.copytree(CHART, chart)
    planted = (
        "suite: planted\ntemplates: [templates/serviceaccounts.yaml]\ntests:\n"
        "  - it: is a service account\n    asserts: [{isKind: {of: ServiceAccount}, documentIndex: 0}]\n"
        "  - it: is a secret\n    asserts: [{isKind: {of: Secret}, documentIndex: 0}]\n"
    )
    (chart / "tests" / "planted_test.yaml").write_text(planted, encoding="utf-8")
    code, said = run(tools, chart, "tests/planted_test.yaml")
    assert code != 0
    assert re.search(r"Tests:\s+1 failed, 1 passed", said) is not None, said
