"""Pods as a kubelet makes them, without one: volumes on disk, the container's command run as rendered.

Files of ConfigMaps and Secrets are links to a hidden folder, as the kubelet writes them, so that it can renew
all of them at once. Paths of the container are put below a folder of the test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Files = Mapping[str, str]
"""The content of a ConfigMap or Secret, by key."""

# Where the chart mounts things, in arguments, variables and files.
_PATHS: Final = re.compile(r"(^|=|: |file:)(/(?:run/secrets|app|checks|tmp)(?=[/\s}]|$))", re.MULTILINE)


@dataclass(slots=True)
class Node:
    """Runs pods of rendered documents. `replaced`: texts of the cluster (names, addresses) and what stands
    for them here. `config_maps`: those that are there beside the release's."""

    folder: Path
    documents: list[dict[str, Any]]
    secrets: Mapping[str, Files]
    replaced: Mapping[str, str] = field(default_factory=dict)
    config_maps: Mapping[str, Files] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    logs: dict[str, Path] = field(default_factory=dict)

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """The one container of a pod, by the name of the pod, job, Deployment or StatefulSet."""
        owner = self._named(name)
        spec = owner["spec"] if owner["kind"] == "Pod" else owner["spec"]["template"]["spec"]
        root = self.folder / name
        shutil.rmtree(root, ignore_errors=True)
        container = spec["containers"][0]
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        # Outer mounts first: others lie in them.
        for mount in sorted(container["volumeMounts"], key=lambda one: len(one["mountPath"])):
            place = root / mount["mountPath"].lstrip("/")
            place.mkdir(parents=True, exist_ok=True)
            _fill(
                place,
                {path: self._here(text, root) for path, text in self._files(volumes[mount["name"]]).items()},
            )
        command = container.get("command", ["penstock"])
        program = {"penstock": [sys.executable, "-m", "workers"], "python": [sys.executable]}[command[0]]
        arguments = [self._here(one, root) for one in (*command[1:], *container.get("args", []))]
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*program, *arguments], stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=root,
                env={**_machine(), **self._env(container, name, root), "PENSTOCK_APP": str(root / "app")},
            )  # fmt: skip
        self.running.append(process)
        self.logs[name] = log
        return process

    def log(self, name: str) -> str:
        """What the container said."""
        return self.logs[name].read_text("utf-8", errors="replace")

    def stop(self) -> None:
        """End what runs, by pid."""
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.wait(20)

    def _named(self, name: str) -> dict[str, Any]:
        kinds = ("Pod", "Job", "Deployment", "StatefulSet")
        return next(one for one in self.documents if one["kind"] in kinds and one["metadata"]["name"] == name)

    def _files(self, volume: dict[str, Any]) -> Files:
        """What a volume holds, by path."""
        if "projected" in volume:
            found: dict[str, str] = {}
            for source in volume["projected"]["sources"]:
                found |= self._source(source)
            return found
        if "configMap" in volume:
            return self._source({"configMap": volume["configMap"]})
        if "secret" in volume:
            source = {"name": volume["secret"]["secretName"], "items": volume["secret"].get("items")}
            return self._source({"secret": source})
        assert "emptyDir" in volume, f"a volume of an unknown kind: {volume}"
        return {}

    def _source(self, source: dict[str, Any]) -> Files:
        kind = "secret" if "secret" in source else "configMap"
        wanted = source[kind]
        content = self.secrets[wanted["name"]] if kind == "secret" else self._config_map(wanted["name"])
        items = wanted.get("items")
        if not items:
            return content
        return {item["path"]: content[item["key"]] for item in items}

    def _config_map(self, name: str) -> Files:
        if name in self.config_maps:
            return self.config_maps[name]
        found = [
            one for one in self.documents if one["kind"] == "ConfigMap" and one["metadata"]["name"] == name
        ]
        assert len(found) == 1, f"{len(found)} ConfigMaps {name}"
        data: Files = found[0]["data"]
        return data

    def _env(self, container: dict[str, Any], name: str, root: Path) -> dict[str, str]:
        """The container's variables; `valueFrom` is the pod's name, which is all that the chart asks for."""
        return {
            one["name"]: self._here(one["value"], root) if "value" in one else f"{name}-0"
            for one in container.get("env", [])
        }

    def _here(self, text: str, root: Path) -> str:
        text = _PATHS.sub(rf"\1{root}\2", text)
        for there, here in self.replaced.items():
            text = text.replace(there, here)
        return text


def _fill(place: Path, files: Files) -> None:
    """As the kubelet's atomic writer: a hidden folder, a link to it, and links for what is at the top."""
    data = place / "..2026_11_21"
    data.mkdir()
    for path, text in files.items():
        target = data / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
    (place / "..data").symlink_to(data.name)
    for top in sorted({path.partition("/")[0] for path in files}):
        (place / top).symlink_to(f"..data/{top}")


def _machine() -> dict[str, str]:
    """The variables of this machine that no pod would be without."""
    return {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
