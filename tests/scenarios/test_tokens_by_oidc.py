"""OAUTHBEARER with `method: OIDC`: librdkafka fetches tokens from an endpoint, the broker takes them."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until
from workers.local.kafka import KafkaServer
from workers.local.kafka_settings import KafkaSettings, SecurityOptions

SECRET = "secret-of-the-client"


def unsecured(claims: dict[str, object]) -> str:
    """A JWT without a signature, which the embedded broker takes."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


@contextmanager
def token_endpoint() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An authority that gives tokens of one minute to who knows SECRET; (its URL, what it was asked)."""
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            basic = self.headers.get("Authorization", "").removeprefix("Basic ")
            asked.append({**form, "who": base64.b64decode(basic).decode()})
            now = int(time.time())
            token = unsecured({"sub": "penstock", "iat": now, "exp": now + 60, "scope": "kafka"})
            answer = json.dumps({"access_token": token, "token_type": "bearer", "expires_in": 60}).encode()
            self.send_response(200 if SECRET in asked[-1]["who"] else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.kafka
def test_the_main_job_with_tokens_of_an_oidc_endpoint(
    topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """Client id, secret and scope reach the endpoint, its tokens the broker; the secret is in no log line."""
    settings = KafkaSettings(security=SecurityOptions(users={"nobody": "unused"}))
    with KafkaServer(tmp_path / "broker", settings) as kafka, token_endpoint() as (url, asked):
        world = World(kafka.address, tmp_path, topic_name)
        try:
            source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
            connection = {
                "type": "Kafka",
                "bootstrapServers": kafka.secure_address,
                "security": {"protocol": "SASL_SSL", "caFile": str(kafka.ca_file)},
                "authentication": {
                    "mechanism": "OAUTHBEARER", "method": "OIDC", "tokenEndpointUrl": url,
                    "clientId": "penstock", "clientSecret": SECRET, "scope": "kafka",
                },
            }  # fmt: skip
            app = world.write_app(
                {"kafka": connection}, {"p": story(world, source, results, dead, [{"$addFields": {"x": 1}}])}
            )
            world.produce(source, [{"id": 1}])
            worker = world.start_worker(app)
            until(worker.is_ready, 60, "ready")
            until(lambda: world.lag(group_of(source), source) == 0, 60, "lag 0")
            assert [record.json for record in world.read(results)] == [{"id": 1, "x": 1}]
            assert asked[0]["grant_type"] == "client_credentials"
            assert asked[0]["scope"] == "kafka"
            assert asked[0]["who"] == f"penstock:{SECRET}"
            assert SECRET not in worker.log()
        finally:
            world.stop()
