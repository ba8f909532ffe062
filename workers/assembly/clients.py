"""Clients of AWS and of HTTPS connections, made of what the app folder says of them."""

from __future__ import annotations

import os

from pydantic import SecretStr

from workers.adapters.aws_clients import AwsClients
from workers.adapters.aws_connection import AwsConnection
from workers.adapters.https import HttpsEndpoint
from workers.adapters.trust import ca_bundle
from workers.appfolder import App, HttpsConnection, LambdaConnection
from workers.appfolder.preflight import functions_of, judged, lambda_connections
from workers.appfolder.rotation import Rotation
from workers.calls.preflight import Misfit
from workers.settings import EngineSettings


def aws_clients(settings: EngineSettings, rotation: Rotation) -> AwsClients:
    """One client for each AWS connection; secrets are read again from where the app folder has them."""

    def reread(name: str) -> AwsConnection | None:
        found = rotation.reread(name)
        return aws_connection(found) if isinstance(found, LambdaConnection) else None

    return AwsClients(settings, ca_bundle(os.environ), reread)


async def check_live(app: App) -> list[Misfit]:
    """What AWS says against the call sites of an app folder, whatever its connections say of `preflight`.
    Raises Invalid for connections that cannot be opened."""
    clients = aws_clients(EngineSettings(), Rotation(app.folder, os.environ, app.connections))
    await clients.open(map(aws_connection, lambda_connections(app, app.processors)))
    try:
        learnt = await clients.learn(functions_of(app, app.processors, all_of_them=True))
        return [misfit for spec in app.processors for _, misfit in judged(spec, learnt)]
    finally:
        await clients.close_all()


def aws_connection(connection: LambdaConnection) -> AwsConnection:
    """What the adapter needs of a connection."""

    def revealed(secret: SecretStr | None) -> str | None:
        return None if secret is None else secret.get_secret_value()

    return AwsConnection(
        name=connection.name,
        region=connection.region,
        endpoint_url=connection.endpoint_url,
        role_arn=connection.role_arn,
        external_id=connection.external_id,
        access_key_id=revealed(connection.access_key_id),
        secret_access_key=revealed(connection.secret_access_key),
        session_token=revealed(connection.session_token),
    )


def https_endpoint(connection: HttpsConnection) -> HttpsEndpoint:
    """What the adapter needs of a connection."""
    headers = {name: secret.get_secret_value() for name, secret in connection.headers.items()}
    security = connection.security
    return HttpsEndpoint(
        connection=connection.name,
        url=connection.url,
        headers=tuple(headers.items()),
        ca_bundle=security.ca_file or ca_bundle(os.environ),
        secrets=tuple(part for value in headers.values() for part in (value, value.rpartition(" ")[2])),
        certificate_file=security.certificate_file,
        key_file=security.key_file,
    )
