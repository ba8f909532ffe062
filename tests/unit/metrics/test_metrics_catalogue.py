"""The catalogue: legal names, bounded labels, and a page that is printed from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workers import metrics
from workers.metrics import ALL, ENGINE, FUNCTION_HOST, SUPERVISOR, Metric, as_markdown

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def _name(metric: Metric) -> str:
    return metric.name


def test_the_committed_page_is_in_step_with_the_catalogue() -> None:
    """docs/metrics.md is what `python -m workers.metrics` prints; run that again after a change."""
    assert PAGE.read_text(encoding="utf-8") == as_markdown()


def test_names_are_unique_and_follow_the_conventions_of_prometheus() -> None:
    """Prefix penstock_, counters end with _total and nothing else does, no name twice."""
    names = [metric.name for metric in ALL]
    assert len(set(names)) == len(names)
    for metric in ALL:
        assert re.fullmatch(r"penstock_[a-z][a-z_]*[a-z]", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")


def test_every_constant_of_the_module_is_in_the_catalogue_once() -> None:
    """ALL is made of the module's constants, so a metric cannot be forgotten."""
    constants = [value for value in vars(metrics).values() if isinstance(value, Metric)]
    assert sorted(metric.name for metric in ALL) == sorted(metric.name for metric in constants)
    programs = (ENGINE, SUPERVISOR, FUNCTION_HOST)
    assert {metric.name for program in programs for metric in program} == set(map(_name, ALL))


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_each_metric_says_what_it_means_and_bounds_its_labels(metric: Metric) -> None:
    """A meaning that is a sentence, rising buckets for histograms alone, closed values of own labels."""
    assert metric.meaning.endswith(".")
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))
    assert set(metric.values) <= set(metric.labels)
    assert "process" not in metric.labels, "the supervisor adds this label"
    assert 0 < metric.max_series <= 5_000


def test_the_main_labels_are_those_that_alerts_join_on() -> None:
    """Everything about a processor has the label `processor` first."""
    for metric in ENGINE:
        if "processor" in metric.labels:
            assert metric.labels[0] == "processor"
    assert metrics.RECORDS.labels == ("processor", "outcome")
    assert metrics.DEAD_LETTERS.labels == ("processor", "class", "scope")
