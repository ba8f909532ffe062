"""Every set of values in helm/penstock/ci, on three versions of Kubernetes: lint, templates, schemas."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.chart import rendering
from tests.chart.rendering import CI_VALUES, CUSTOM, KUBERNETES, Document, Said
from tests.chart.toolchain import Tools

by_file = pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.name)
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "planted"},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    },
}


@cache
def said_for(tools: Tools, values: Path, version: str) -> Said:
    """What `helm template` says for one file on one Kubernetes; asked once, a second each."""
    return rendering.template(tools, [values], "--kube-version", version)


def rendered(tools: Tools, values: Path) -> list[Document]:
    """What it renders on the newest."""
    return rendering.documents(said_for(tools, values, KUBERNETES[-1]).out)


def test_there_are_values_to_try() -> None:
    """Without files nothing below would run."""
    assert {"minimal-values.yaml", "full-values.yaml"} <= {path.name for path in CI_VALUES}


@by_file
def test_lint_has_nothing_to_say(tools: Tools, values: Path) -> None:
    """--strict: a warning fails."""
    said = rendering.helm(tools, "lint", "--strict", str(rendering.CHART), "--values", str(values))
    assert (said.code, said.out.count("[WARNING]"), said.out.count("[ERROR]")) == (0, 0, 0), said.out


@by_file
def test_every_resource_is_valid_on_every_kubernetes(tools: Tools, values: Path) -> None:
    """Strictly: a misspelt field would be dropped by the API server without a word."""
    found = {}
    for version in KUBERNETES:
        said = said_for(tools, values, version)
        assert said.code == 0, said.err
        found[version] = rendering.documents(said.out)
        assert found[version] != []
    assert rendering.complaints(tools, found) == []


@by_file
def test_no_two_resources_have_one_name(tools: Tools, values: Path) -> None:
    """The second would overwrite the first; and each says in which namespace it is."""
    found = rendered(tools, values)
    names = [rendering.name_of(one) for one in found]
    assert sorted(names) == sorted(set(names))
    assert [rendering.name_of(one) for one in found if one["metadata"].get("namespace") is None] == []


@by_file
def test_the_same_values_render_the_same_text(tools: Tools, values: Path) -> None:
    """Argo CD would else see a difference for ever, and each upgrade would restart the pods."""
    first = said_for(tools, values, KUBERNETES[-1]).out
    second = rendering.template(tools, [values], "--kube-version", KUBERNETES[-1]).out
    assert first == second


def test_an_older_kubernetes_is_refused(tools: Tools) -> None:
    """`kubeVersion` says so before anything is made."""
    said = rendering.template(tools, CI_VALUES[:1], "--kube-version", "1.26.9")
    assert said.code != 0
    assert "kubeVersion" in said.err


def test_a_misspelt_field_is_seen(tools: Tools) -> None:
    """The gate can fail: a field too many, a wrong type, a kind without a schema."""
    misspelt = {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replica": 1}}
    wrong = {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replicas": "many"}}
    unknown = {"apiVersion": "example.com/v1", "kind": "Turbine", "metadata": {"name": "planted"}}
    assert rendering.complaints(tools, {version: [DEPLOYMENT] for version in KUBERNETES}) == []
    for planted in (misspelt, wrong, unknown):
        said = rendering.complaints(tools, {version: [planted] for version in KUBERNETES})
        assert len(said) == len(KUBERNETES), said


def test_no_schema_is_left_out_in_vain(tools: Tools) -> None:
    """Each kind that is not looked at here is one that some values render."""
    found = {(one["apiVersion"], one["kind"]) for values in CI_VALUES for one in rendered(tools, values)}
    assert CUSTOM - found == set()
