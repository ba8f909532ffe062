"""Reads and checks an app folder: connections, processors, topics. Nothing in here starts anything.

| module | job |
|---|---|
| `load` | the whole folder, or every problem of every file |
| `app` | what comes out |
| `sources` | which files there are, their text, their format |
| `yaml_text`, `json_text`, `mongosh` (with `mongosh_tokens`, `mongosh_types`) | the formats |
| `literals` | Extended JSON in pipelines |
| `connections`, `kafka` (with `kafka_config`), `https` | connections.yaml |
| `substitute` | `${NAME}` and secrets from files |
| `processors` | pipelines and their options, held against the connections |
| `refusals`, `nearest` | problems in words |
"""

from workers.appfolder.app import App, DeadLetterTarget, ProcessorSpec
from workers.appfolder.connections import Connection, LambdaConnection, LaterConnection, SampleConnection
from workers.appfolder.https import HttpsConnection
from workers.appfolder.kafka import KafkaConnection, kafka_client_config
from workers.appfolder.limits import BadText
from workers.appfolder.load import load_app
from workers.appfolder.schema_registry import SchemaRegistryConnection, registry_client_config
from workers.appfolder.sources import FORMATS, read_text

__all__ = [
    "FORMATS",
    "App",
    "BadText",
    "Connection",
    "DeadLetterTarget",
    "HttpsConnection",
    "KafkaConnection",
    "LambdaConnection",
    "LaterConnection",
    "ProcessorSpec",
    "SampleConnection",
    "SchemaRegistryConnection",
    "kafka_client_config",
    "load_app",
    "read_text",
    "registry_client_config",
]
