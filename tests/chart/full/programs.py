"""The programs of `make chart-full` beside those of `make chart`: Helm 4, kubeconform, a control plane, kwok.

Built like those (tests/chart/toolchain.py), which takes a quarter of an hour the first time; the control
plane alone is 8 minutes of one core.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chart import toolchain
from tests.chart.toolchain import KUBERNETES, SOURCES, GoModule

_VERSION: Final = "k8s.io/component-base/version."
HELM4: Final = GoModule(
    "helm4", ("helm.sh/helm/v4/cmd/helm",), {"helm.sh/helm/v4/internal/version.version": "v4.3.1"}
)
KUBECONFORM: Final = GoModule("kubeconform", ("github.com/yannh/kubeconform/cmd/kubeconform",))
KWOK: Final = GoModule("kwok", ("sigs.k8s.io/kwok/cmd/kwok",))
# Without these it calls itself v0.0.0, which no chart with a kubeVersion accepts.
CLUSTER: Final = GoModule(
    "cluster",
    (".",),
    {
        f"{_VERSION}gitVersion": f"v{KUBERNETES}",
        f"{_VERSION}gitMajor": KUBERNETES.split(".")[0],
        f"{_VERSION}gitMinor": KUBERNETES.split(".")[1],
    },
)
# Modules that carry definitions of custom resources, and which of them.
DEFINED: Final = {
    "github.com/kedacore/keda/v2": ("config/crd/bases/keda.sh_*.yaml",),
    "github.com/prometheus-operator/prometheus-operator": tuple(
        f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
        for kind in ("podmonitors", "servicemonitors", "prometheusrules")
    ),
    "k8s.io/autoscaler/vertical-pod-autoscaler": ("deploy/vpa-v1-crd-gen.yaml",),
}
# How fake kubelets behave: nodes come up, pods are ready at once, those of jobs complete, deleted ones go.
STAGES: Final = ("node/fast/*.yaml", "node/heartbeat/*.yaml", "pod/fast/*.yaml")


@dataclass(frozen=True, slots=True)
class Programs:
    """Where they are, and what they are told."""

    helm3: Path
    helm4: Path
    kubeconform: Path
    cluster: Path
    kwok: Path
    definitions: tuple[Path, ...]
    stages: tuple[Path, ...]


def programs() -> Programs:
    """All of them; one after another where they are missing, since each takes all cores."""
    stages = carried("kwok", "sigs.k8s.io/kwok") / "kustomize" / "stage"
    return Programs(
        toolchain.go_module(toolchain.HELM) / "helm",
        toolchain.go_module(HELM4) / "helm",
        toolchain.go_module(KUBECONFORM) / "kubeconform",
        toolchain.go_module(CLUSTER) / "cluster",
        toolchain.go_module(KWOK) / "kwok",
        tuple(definitions()),
        tuple(f for found in STAGES for f in sorted(stages.glob(found)) if f.name != "kustomization.yaml"),
    )


def definitions() -> Iterator[Path]:
    """The files of DEFINED. A pattern that finds nothing is a ValueError: the module has moved them."""
    for module, patterns in DEFINED.items():
        folder = carried("definitions", module)
        for pattern in patterns:
            found = sorted(folder.glob(pattern))
            if not found:
                raise ValueError(f"{module} has no {pattern}")
            yield from found


def carried(name: str, module: str) -> Path:
    """The files of a module that helm/tools/<name>/go.mod names, checked against its go.sum."""
    said = toolchain.run(
        [str(toolchain.find_go()), "mod", "download", "-json", module],
        cwd=SOURCES / name, environment=toolchain.go_environment(os.environ),
    )  # fmt: skip
    return Path(json.loads(said)["Dir"])
