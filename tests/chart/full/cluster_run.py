"""The chart on a real API server, by Helm 3 and by Helm 4: from install to uninstall.

    python -m tests.chart.full cluster

First what needs no cluster: custom resources of all helm/penstock/ci/*-values.yaml against their definitions.
Then every one of these files as the API server sees it, and one release through its life, whose pods must be
allowed where Pod Security is `restricted`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.chart import rendering
from tests.chart.full import release_story, schemas
from tests.chart.full.control_plane import ControlPlane, environment
from tests.chart.full.log import RunLog, check
from tests.chart.full.programs import Programs, programs
from tests.chart.rendering import CI_VALUES, CUSTOM, KUBERNETES
from tests.chart.toolchain import tools

SERVER_SECONDS: Final = 60.0


def run(folder: Path, log: RunLog) -> None:
    """The whole of it. Raises Wrong for what is not as it should be."""
    made = programs()
    log.say(f"programs are there: {version(made.helm3)}, {version(made.helm4)}")
    custom_resources(made, folder, log)
    with ControlPlane(made, folder / "cluster") as plane:
        plane.add_nodes()
        said = json.loads(plane.kubectl("get", "--raw", "/version"))
        log.say(f"control plane: Kubernetes {said['gitVersion']}, 3 nodes in 3 zones")
        for file in made.definitions:
            plane.kubectl("apply", "--server-side", "-f", str(file))
        log.say(f"definitions: {len(made.definitions)} files of KEDA, prometheus-operator and VPA")
        accepted(plane, log)
        for name, helm in (("helm3", made.helm3), ("helm4", made.helm4)):
            release_story.run(plane, helm, name, folder, log)


def version(helm: Path) -> str:
    """What it calls itself."""
    said = subprocess.run([str(helm), "version", "--short"], capture_output=True, text=True, check=True)
    return f"Helm {said.stdout.strip()}"


def rendered(values: Path) -> str:
    """One set of values as text."""
    said = rendering.template(tools(), [values], "--kube-version", KUBERNETES[-1])
    check(said.code == 0, f"{values.name}: {said.err}")
    return said.out


def custom_resources(made: Programs, folder: Path, log: RunLog) -> None:
    """kubeconform holds them against their definitions, strictly, and is seen to find a misspelt field."""
    known = schemas.write(made.definitions, folder / "schemas")
    found = [
        one
        for values in CI_VALUES
        for one in rendering.documents(rendered(values))
        if (one["apiVersion"], one["kind"]) in CUSTOM
    ]
    code, said = kubeconform(made, found, folder)
    check(code == 0, said)
    log.say(f"kubeconform: {known} schemas; {said.strip().splitlines()[-1]}")
    planted = [{**one, "spec": {**one["spec"], "misspelt": 1}} for one in found]
    code, said = kubeconform(made, planted, folder)
    refused = sum("additional" in line.lower() for line in said.splitlines())
    check(code != 0 and refused == len(planted), f"a misspelt field gets past kubeconform: {said}")
    log.say(f"kubeconform: refuses all {refused} with a misspelt field")


def kubeconform(made: Programs, found: Iterable[Any], folder: Path) -> tuple[int, str]:
    """(exit code, what it said)."""
    file = folder / "custom.json"
    file.write_text("\n---\n".join(json.dumps(one) for one in found), encoding="utf-8")
    done = subprocess.run(
        [str(made.kubeconform), "-strict", "-summary", "-schema-location",
         str(folder / "schemas" / schemas.LOCATION), str(file)],
        capture_output=True, text=True, check=False, timeout=SERVER_SECONDS, env=environment(),
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def accepted(plane: ControlPlane, log: RunLog) -> None:
    """The API server takes every resource of every file, with its defaults and CEL rules."""
    plane.kubectl("create", "namespace", "space")
    for values in CI_VALUES:
        text = rendered(values)
        for around in named(rendering.documents(text)):
            plane.kubectl("apply", "--namespace=space", "-f", "-", stdin=json.dumps(around))
        said = plane.kubectl(
            "apply", "--dry-run=server", "--validate=strict", "--namespace=space", "-f", "-",
            stdin=text, seconds=SERVER_SECONDS,
        )  # fmt: skip
        log.say(f"server dry run: {values.name}: {len(said.splitlines())} resources")


def named(found: Iterable[Any]) -> Iterator[Any]:
    """What the pods among them name, which must be there before the API server takes a pod."""
    for spec in (one["spec"] for one in found if one["kind"] == "Pod"):
        if name := spec.get("serviceAccountName"):
            yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
        if name := spec.get("priorityClassName"):
            made = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
            yield {**made, "metadata": {"name": name}, "value": 1}
        if name := spec.get("runtimeClassName"):
            made = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass"}
            yield {**made, "metadata": {"name": name}, "handler": name}
