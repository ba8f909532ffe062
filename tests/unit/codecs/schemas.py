"""Schemas as a registry would have them."""

from __future__ import annotations

import json
from typing import Any

from confluent_kafka.schema_registry import Schema

from topics.codecs.registry_client import Learnt, usable


def learnt(schema: Any, kind: str = "AVRO") -> Learnt:
    """What is learnt of a schema that refers to no other."""
    return usable(Schema(schema if isinstance(schema, str) else json.dumps(schema), kind, []), {}, [])
