"""App folders to read, made of texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CONNECTIONS = """
kafka: {type: Kafka, bootstrapServers: "127.0.0.1:9092"}
functions: {type: AWSLambda, region: eu-central-1, endpointUrl: "http://127.0.0.1:9000"}
"""

PROCESSOR = """
pipeline:
  - $source: {connectionName: kafka, topic: orders}
  - $match: {status: paid}
  - $emit: {connectionName: kafka, topic: results}
"""


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """An app folder with these files; connections and one processor are there unless given otherwise."""
    for name, text in {"connections.yaml": CONNECTIONS, "processors/orders.yaml": PROCESSOR, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder
