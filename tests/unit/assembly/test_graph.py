"""What a processor that starts again is built from."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from tests.unit.appfolder.folders import write
from workers.adapters.aws_clients import AwsClients
from workers.adapters.kafka_consumer import KafkaSource
from workers.appfolder import KafkaConnection, load_app
from workers.assembly.graph import Graph
from workers.engine.intake import Intake
from workers.settings import EngineSettings, ServiceSettings

APP = {
    "connections.yaml": """
kafka:
  type: Kafka
  bootstrapServers: "127.0.0.1:9092"
  security: {protocol: SASL_PLAINTEXT}
  authentication: {mechanism: PLAIN, username: penstock, password: old-password}
""",
    "processors/orders.yaml": """
pipeline:
  - $source: {connectionName: kafka, topic: orders}
  - $emit: {connectionName: kafka, topic: results}
""",
}


def password_of(source: KafkaSource) -> Any:
    return source._settings.client_config["sasl.password"]


def test_a_processor_that_starts_again_signs_in_with_the_newest_password(tmp_path: Path) -> None:
    """The password was rotated since the app folder was read: its next consumer has the new one, and takes
    the place of the one before among those that a rotation reaches."""
    app = load_app(write(tmp_path, APP), {})
    loop = asyncio.new_event_loop()
    graph = Graph(
        app, 0, ServiceSettings(), EngineSettings(), AwsClients(EngineSettings(), "", lambda _: None)
    )
    (spec,) = app.processors
    events = Intake(loop, cast(Any, None), 1.0)
    first = graph.source(spec, events, 1)
    kafka = app.connections["kafka"]
    assert isinstance(kafka, KafkaConnection)
    assert kafka.authentication is not None
    rotated = kafka.authentication.model_copy(update={"password": SecretStr("new-password")})
    graph.connections["kafka"] = kafka.model_copy(update={"authentication": rotated})
    second = graph.source(spec, events, 1)
    loop.close()
    assert (password_of(first), password_of(second)) == ("old-password", "new-password")
    assert list(graph.signed_in["kafka"].values()) == [second]
