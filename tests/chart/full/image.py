"""An image as `buildah push IMAGE oci:FOLDER` or `skopeo copy` writes it, unpacked for `pod`."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Image:
    """Its file system and what it says about starting."""

    root: Path
    environment: dict[str, str]
    command: list[str]
    user: str
    labels: dict[str, str]
    layers_bytes: int


def unpack(layout: Path, into: Path) -> Image:
    """Unpack an OCI layout's one image. Needs root: the files keep their owners."""
    manifest = _blob(layout, json.loads((layout / "index.json").read_text("utf-8"))["manifests"][0])
    settings = _blob(layout, manifest["config"])["config"]
    into.mkdir(parents=True)
    for layer in manifest["layers"]:
        subprocess.run(["tar", "-xf", str(_path(layout, layer)), "-C", str(into)], check=True)
    for mark in into.rglob(".wh.*"):
        raise ValueError(f"a layer takes {mark.name} away: this image is not built by our Dockerfile")
    environment = dict(entry.split("=", 1) for entry in settings["Env"])
    return Image(
        into, environment, list(settings["Entrypoint"]), settings["User"], settings.get("Labels", {}),
        sum(layer["size"] for layer in manifest["layers"]),
    )  # fmt: skip


def _path(layout: Path, descriptor: dict[str, Any]) -> Path:
    digest: str = descriptor["digest"]
    return layout / "blobs" / digest.replace(":", "/")


def _blob(layout: Path, descriptor: dict[str, Any]) -> Any:
    return json.loads(_path(layout, descriptor).read_text("utf-8"))
