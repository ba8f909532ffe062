"""Helm, asked as a user asks it: what the chart renders, and what it says when it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from tests.chart.toolchain import ROOT, Tools

CHART: Final = ROOT / "helm" / "penstock"
CI_VALUES: Final = tuple(sorted((CHART / "ci").glob("*-values.yaml")))
# The oldest that Chart.yaml allows, one in the middle, the newest whose schemas are known.
KUBERNETES: Final = ("1.27.0", "1.31.0", "1.36.0")
# Of others, without schemas in kubernetes-validate: `make chart-full` holds these against their definitions.
CUSTOM: Final = frozenset(
    {
        ("keda.sh/v1alpha1", "ScaledObject"),
        ("keda.sh/v1alpha1", "TriggerAuthentication"),
        ("monitoring.coreos.com/v1", "PodMonitor"),
        ("monitoring.coreos.com/v1", "PrometheusRule"),
        ("monitoring.coreos.com/v1", "ServiceMonitor"),
        ("autoscaling.k8s.io/v1", "VerticalPodAutoscaler"),
    }
)
# Helm reads a chart in under a second; a busy machine takes several.
HELM_SECONDS: Final = 120.0

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str


def helm(tools: Tools, *arguments: str) -> Said:
    """Run Helm. It sees no cluster, no configuration of the machine's user, and no network."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))
    }
    done = subprocess.run(
        [str(tools.helm), *arguments], cwd=ROOT, env=environment, timeout=HELM_SECONDS, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def template(tools: Tools, values: Sequence[Path], *more: str) -> Said:
    """`helm template`, with the values of these files over the chart's own."""
    files = [argument for file in values for argument in ("--values", str(file))]
    return helm(tools, "template", "release", str(CHART), "--namespace", "space", *files, *more)


def documents(text: str) -> list[Document]:
    """The resources in what `helm template` printed."""
    return [one for one in YAML(typ="safe", pure=True).load_all(text) if one]


def name_of(document: Document) -> str:
    """`Kind/name`, for messages."""
    return f"{document['kind']}/{document['metadata']['name']}"


def complaints(tools: Tools, wanted: Mapping[str, Sequence[Document]]) -> list[str]:
    """What kubernetes-validate says, strictly, about resources by the version of Kubernetes they are for.

    Resources of CUSTOM are left out; another one without a schema is a complaint. One process reads the
    schemas once: 20 ms a kind, and 1 ms for each resource after that.
    """
    known = {
        version: [one for one in found if (one["apiVersion"], one["kind"]) not in CUSTOM]
        for version, found in wanted.items()
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.chart.validation"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tools.validate)}, timeout=HELM_SECONDS, check=True,
        input=json.dumps(known), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found: list[str] = json.loads(done.stdout)
    return found
