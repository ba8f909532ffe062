"""Definitions of custom resources as JSON schemas that kubeconform reads.

An API server drops fields that a definition does not know without a word; these schemas refuse them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

# For kubeconform: {{.ResourceKind}} is in lower case, {{.Group}} the whole group.
LOCATION: Final = "{{.Group}}-{{.ResourceKind}}-{{.ResourceAPIVersion}}.json"

Schema = dict[str, Any]


def write(definitions: Iterable[Path], folder: Path) -> int:
    """Write the schema of each version of each definition into the folder; their number."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for file in definitions:
        for one in YAML(typ="safe", pure=True).load_all(file):
            if not one or one["kind"] != "CustomResourceDefinition":
                continue
            group, kind = one["spec"]["group"], one["spec"]["names"]["kind"].lower()
            for version in one["spec"]["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                path = folder / f"{group}-{kind}-{version['name']}.json"
                path.write_text(json.dumps(schema), encoding="utf-8")
                written += 1
    return written


def strict(node: Any, *, closed: bool = True) -> Any:
    """A structural schema of Kubernetes as a JSON schema that takes no unknown field.

    `closed` is off within allOf, anyOf, oneOf and not: their parts name some fields of a whole.
    """
    if isinstance(node, list):
        return [strict(one, closed=closed) for one in node]
    if not isinstance(node, dict):
        return node
    if node.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made: Schema = {}
    for name, value in node.items():
        if name == "properties":
            made[name] = {field: strict(one, closed=closed) for field, one in value.items()}
        elif name in ("allOf", "anyOf", "oneOf", "not"):
            made[name] = strict(value, closed=False)
        elif name in ("items", "additionalProperties"):
            made[name] = strict(value, closed=closed)
        elif name in ("type", "enum", "required", "pattern") or name.startswith(("min", "max")):
            made[name] = value
    is_open = node.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in node
    if closed and "properties" in made and not is_open:
        made["additionalProperties"] = False
    return made
