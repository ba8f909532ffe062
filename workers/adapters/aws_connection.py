"""What `connections.yaml` says about one AWS connection, and what can be wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from workers.errors import Problem

FILE: Final = "connections.yaml"
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")
_EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AwsConnection:
    """What `connections.yaml` says about one AWS connection. Without keys boto3 searches as always."""

    name: str
    region: str | None = None
    endpoint_url: str | None = None
    role_arn: str | None = None
    external_id: str | None = field(default=None, repr=False)
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)


def problem(connection: AwsConnection, key: str, found: str, expected: str) -> Problem:
    """One problem of this connection; `key` is empty where it is about the whole of it."""
    return Problem(FILE, f"{connection.name}.{key}" if key else connection.name, found, expected)


def problems_of(connection: AwsConnection) -> Iterator[Problem]:
    """What can be seen without asking anybody. No value of a secret is shown."""
    role, external_id, endpoint = connection.role_arn, connection.external_id, connection.endpoint_url
    if bool(connection.access_key_id) != bool(connection.secret_access_key):
        missing = "secretAccessKey" if connection.access_key_id else "accessKeyId"
        yield problem(connection, missing, "not set", "accessKeyId and secretAccessKey come together")
    if connection.session_token and not connection.access_key_id:
        yield problem(connection, "sessionToken", "set without keys", "it belongs to an accessKeyId")
    for key, value in (
        ("accessKeyId", connection.access_key_id),
        ("secretAccessKey", connection.secret_access_key),
        ("sessionToken", connection.session_token),
    ):
        if value and value.split() != [value]:
            yield problem(connection, key, "blanks or line ends in it", "the value alone")
    if role is not None and not _ROLE_ARN.fullmatch(role):
        yield problem(connection, "roleArn", repr(role), "arn:aws:iam::123456789012:role/name")
    if external_id is not None and role is None:
        yield problem(connection, "externalId", "set without roleArn", "it is sent when a role is assumed")
    elif external_id is not None and not _EXTERNAL_ID.fullmatch(external_id):
        yield problem(connection, "externalId", "not a valid id", "2 to 1224 letters, digits or +=,.@:/-_")
    if endpoint is not None and not re.match(r"https?://[^/\s?#@]+(/[^\s?#]*)?$", endpoint):
        yield problem(connection, "endpointUrl", "no http or https address", "https://host:port")
