"""The alerts of helm/penstock/files/alerts.yaml, judged by promtool as the file stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.arch.sources import ROOT
from tests.chart import monitoring
from tests.chart.alert_cases import CASES, Case
from tests.chart.toolchain import ToolFailure, promtool_folder, run

RUNBOOKS = ROOT / "docs" / "runbooks.md"


@pytest.fixture(scope="module")
def promtool() -> Path:
    """The program; made first where it is not there yet."""
    return promtool_folder() / "promtool"


def samples(series: Mapping[str, str]) -> list[dict[str, str]]:
    """Series as promtool takes them."""
    return [{"series": name, "values": values} for name, values in series.items()]


def expectation(case: Case, minute: int, *, firing: bool) -> dict[str, Any]:
    """Which series `ALERTS` has in that minute."""
    own = {"alertname": case.alert, "alertstate": "firing", "severity": severity_of(case.alert)}
    labels = ",".join(f'{name}="{value}"' for name, value in {**own, **case.labels}.items())
    return {
        "expr": f'ALERTS{{alertname="{case.alert}",alertstate="firing"}}',
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": f"ALERTS{{{labels}}}", "value": 1}] if firing else [],
    }


def severity_of(alert: str) -> str:
    """As the file has it."""
    found: str = monitoring.alerts()[alert]["labels"]["severity"]
    return found


def judged(promtool: Path, folder: Path, tests: list[dict[str, Any]], rules: Path) -> str:
    """What promtool says of passed tests. Raises ToolFailure with its words on others."""
    suite = folder / "suite.yaml"
    whole = {"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": tests}
    with suite.open("w", encoding="utf-8") as opened:
        YAML(typ="safe").dump(whole, opened)
    return run([str(promtool), "test", "rules", str(suite)], seconds=30)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires_when_it_should_and_not_before(promtool: Path, tmp_path: Path, case: Case) -> None:
    """With its severity and the labels that say where; a moment is not enough where it has a duration."""
    expected = [expectation(case, case.at, firing=True)]
    if case.not_before is not None:
        expected.append(expectation(case, case.not_before, firing=False))
    test = {
        "interval": "1m",
        "input_series": samples(case.fires),
        "promql_expr_test": expected,
    }
    assert "SUCCESS" in judged(promtool, tmp_path, [test], monitoring.ALERTS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_is_quiet_when_all_is_well(promtool: Path, tmp_path: Path, case: Case) -> None:
    """Also where things look alike: a backlog that is worked off, a burst of errors below the rate."""
    test = {
        "interval": "1m",
        "input_series": samples(case.quiet),
        "promql_expr_test": [
            expectation(case, minute, firing=False) for minute in range(1, case.at + 1)
        ],
    }  # fmt: skip
    assert "SUCCESS" in judged(promtool, tmp_path, [test], monitoring.ALERTS)


def test_promtool_would_see_a_wrong_threshold(promtool: Path, tmp_path: Path) -> None:
    """A rule that never fires fails its test."""
    (case,) = (one for one in CASES if one.alert == "PenstockFrontierStuck")
    planted = tmp_path / "alerts.yaml"
    text = monitoring.ALERTS.read_text(encoding="utf-8")
    planted.write_text(text.replace("> 300 # threshold", "> 300000 # threshold"), encoding="utf-8")
    test = {
        "interval": "1m",
        "input_series": samples(case.fires),
        "promql_expr_test": [expectation(case, case.at, firing=True)],
    }
    with pytest.raises(ToolFailure, match="FAILED"):
        judged(promtool, tmp_path, [test], planted)


def test_the_texts_of_an_alert_say_where_and_how_much(promtool: Path, tmp_path: Path) -> None:
    """As somebody reads them in the middle of the night."""
    rule = monitoring.alerts()["PenstockFrontierStuck"]
    (case,) = (one for one in CASES if one.alert == "PenstockFrontierStuck")
    expected = {
        "exp_labels": {"severity": "critical", "processor": "orders"},
        "exp_annotations": {
            **rule["annotations"],
            "summary": "The oldest record of orders is open for 8m 0s",
        },
    }
    test = {
        "interval": "1m",
        "input_series": samples(case.fires),
        "alert_rule_test": [{"eval_time": "8m", "alertname": case.alert, "exp_alerts": [expected]}],
    }
    assert "SUCCESS" in judged(promtool, tmp_path, [test], monitoring.ALERTS)


def test_promtool_takes_the_file_as_it_is(promtool: Path) -> None:
    """The text that the chart ships."""
    assert "SUCCESS" in run([str(promtool), "check", "rules", str(monitoring.ALERTS)], seconds=30)


def test_every_alert_has_its_cases() -> None:
    """One that is added without is seen here."""
    assert [case.alert for case in CASES] == list(monitoring.alerts())


@pytest.mark.parametrize("name", monitoring.alerts())
def test_every_alert_says_what_to_do(name: str) -> None:
    """Severity, summary, description, and its section among the runbooks."""
    rule = monitoring.alerts()[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert ROOT / page == RUNBOOKS
    assert anchor == name.lower()
    section = dict(sections())[name]
    for part in ("**Means.**", "**See.**", "**Do.**"):
        assert part in section, f"{name}: {part}"


def test_no_runbook_is_of_an_alert_that_is_gone() -> None:
    """And they stand in the order of the file."""
    assert [name for name, _ in sections() if name.startswith("Penstock")] == list(monitoring.alerts())


def test_what_the_chart_replaces_is_marked() -> None:
    """One threshold in each alert, at the end of its line, and braces behind every metric."""
    for name, rule in monitoring.alerts().items():
        unmarked = re.sub(r"> [0-9.]+ # threshold\n", "", f"{rule['expr']}\n")
        if name not in ("PenstockProcessorGone", "PenstockFunctionHostDown"):
            assert unmarked != f"{rule['expr']}\n", name
        assert " # threshold" not in unmarked, name
        assert not re.findall(r"penstock_[a-z_]+(?!\w|{)", rule["expr"]), name


def sections() -> Iterator[tuple[str, str]]:
    """(heading, text) of the runbooks."""
    for section in RUNBOOKS.read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, _, text = section.partition("\n")
        yield heading, text
