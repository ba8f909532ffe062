"""Settings of a Kafka client: those of its connection, and what makes its tokens."""

from __future__ import annotations

from typing import Any

from workers.adapters.aws_connection import AwsConnection
from workers.adapters.kafka_msk import MskTokens
from workers.appfolder import KafkaConnection, kafka_client_config
from workers.appfolder.kafka_config import Role


def client_config(
    connection: KafkaConnection, role: Role | None = None, tokens: MskTokens | None = None
) -> dict[str, Any]:
    """What a client of the connection is made with, secrets included: never log it. `tokens` are those that
    other clients of the connection have; None makes them where they are needed."""
    config: dict[str, Any] = dict(kafka_client_config(connection, role))
    tokens = tokens or msk_tokens(connection)
    return {**config, "oauth_cb": tokens} if tokens is not None else config


def msk_tokens(connection: KafkaConnection) -> MskTokens | None:
    """What makes the tokens of a connection with AWS_MSK_IAM; None for all others."""
    who = connection.authentication
    if who is None or who.mechanism != "AWS_MSK_IAM":
        return None
    region = connection.msk_region
    return MskTokens(AwsConnection(connection.name, region, None, who.role_arn, who.external_id), region)
