"""SchemaRegistry connections: what is taken, what is refused with its place, and that no secret shows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from tests.unit.appfolder.folders import write
from workers.appfolder import SchemaRegistryConnection, load_app, registry_client_config
from workers.appfolder.rotation import Rotation
from workers.errors import Invalid, Problem

KAFKA = 'kafka: {type: Kafka, bootstrapServers: "k:9092"}\n'
SECRET = "correct-horse"


def load(
    folder: Path, text: str, env: Mapping[str, str] | None = None, files: Mapping[str, str] | None = None
) -> SchemaRegistryConnection:
    app = load_app(write(folder, {"connections.yaml": KAFKA + dedent(text), **(files or {})}), env or {})
    found = app.connections["r"]
    assert isinstance(found, SchemaRegistryConnection)
    return found


def problems(folder: Path, text: str) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        load(folder, text, {"PASSWORD": SECRET})
    assert SECRET not in str(caught.value) + repr(caught.value.problems)
    return [problem for problem in caught.value.problems if problem.file == "connections.yaml"]


@pytest.mark.parametrize("urls", ['"http://a:8081/, https://b"', '["http://a:8081", "https://b/"]'])
def test_urls_are_enough(tmp_path: Path, urls: str) -> None:
    """Several with commas or as a list; a slash at the end says nothing."""
    found = load(tmp_path, f"r: {{type: SchemaRegistry, urls: {urls}}}")
    assert found.urls == ("http://a:8081", "https://b")
    config = registry_client_config(found, "ca.pem")
    assert config == {
        "url": "http://a:8081,https://b", "timeout": 5.0, "max.retries": 0, "ssl.ca.location": "ca.pem",
    }  # fmt: skip


def test_atlas_form_means_the_same(tmp_path: Path) -> None:
    """As its Admin API writes a connection."""
    text = """
    r:
      type: SchemaRegistry
      provider: CONFLUENT
      schemaRegistryUrls: ["https://r"]
      schemaRegistryAuthentication: {type: USER_INFO, username: me, password: "${PASSWORD}"}
    """
    found = load(tmp_path, text, {"PASSWORD": SECRET})
    assert registry_client_config(found, "x")["basic.auth.user.info"] == f"me:{SECRET}"
    assert SECRET not in repr(found)


def test_a_token_and_certificates_come_from_files(tmp_path: Path) -> None:
    """Paths become absolute; the token is kept whole and never shown."""
    text = """
    r:
      type: SchemaRegistry
      urls: https://r
      timeout: 2s
      authentication: {type: BEARER, token: {file: token.txt}, logicalCluster: lsrc-1, identityPoolId: pool-1}
      security: {caFile: ca.pem, certificateFile: me.pem, keyFile: me.key, keyPassword: "${PASSWORD}"}
    """
    files = {"token.txt": f"{SECRET}\n", "ca.pem": "x", "me.pem": "x", "me.key": "x"}
    found = load(tmp_path, text, {"PASSWORD": SECRET}, files)
    assert registry_client_config(found, "x") == {
        "url": "https://r",
        "timeout": 2.0,
        "max.retries": 0,
        "ssl.ca.location": str((tmp_path / "ca.pem").resolve()),
        "ssl.certificate.location": str((tmp_path / "me.pem").resolve()),
        "ssl.key.location": str((tmp_path / "me.key").resolve()),
        "ssl.key.password": SECRET,
        "bearer.auth.credentials.source": "STATIC_TOKEN",
        "bearer.auth.token": SECRET,
        "bearer.auth.logical.cluster": "lsrc-1",
        "bearer.auth.identity.pool.id": "pool-1",
    }
    assert SECRET not in repr(found)


A = "r: {type: SchemaRegistry, "
B = A + "urls: 'http://r', authentication: "
WRONG: list[tuple[str, str, str]] = [
    (A + "provider: CONFLUENT}", "r.urls", "is missing"),
    (A + "urls: []}", "r.urls", "http(s) URLs"),
    (A + "urls: 5}", "r.urls", "http(s) URLs"),
    (A + "urls: 'ftp://r'}", "r.urls", "http(s) URLs"),
    (A + "urls: 'http://r:99999'}", "r.urls", "http(s) URLs"),
    (A + "urls: 'http://me:pw@r'}", "r.urls", "write authentication instead"),
    (A + "urls: 'http://r?key=1'}", "r.urls", "without a query"),
    (A + "urls: 'http://r', schemaRegistryUrls: ['http://r']}", "r", "write it once"),
    (A + "urls: 'http://r', url: 'http://r'}", "r.url", "did you mean urls"),
    (A + "urls: 'http://r', provider: GLUE}", "r.provider", "CONFLUENT"),
    (A + "urls: 'http://r', timeout: 2h}", "r.timeout", "at most 60"),
    (A + "urls: 'http://r', security: {keyFile: k}}", "r.security", "without certificateFile"),
    (A + "urls: 'http://r', security: {keyPassword: k}}", "r.security", "without certificateFile"),
    (A + "urls: 'http://r', security: {caFile: gone.pem}}", "r.security.caFile", "no file"),
    (B + "{type: SASL_INHERIT}}", "r.authentication.type", "SASL_INHERIT is not in Penstock yet"),
    (B + "{type: OAUTH}}", "r.authentication.type", "USER_INFO"),
    (B + "{username: me}}", "r.authentication", "without password"),
    (B + "{username: 'a:b', password: x}}", "r.authentication.username", "without ':'"),
    (B + "{type: BEARER}}", "r.authentication", "without token"),
    (B + "{type: BEARER, token: x, username: me}}", "r.authentication", "no use for"),
    (B + "{type: BEARER, token: 'Bearer ${PASSWORD}'}}", "r.authentication.token", "without 'Bearer'"),
    (B + "{type: USER_INFO, username: me, password: '${PASSWORD}', token: x}}", "r.authentication", "no use"),
]


@pytest.mark.parametrize(("text", "path", "said"), WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, path: str, said: str) -> None:
    """The place, what stands there, what would be right; never a secret."""
    found = problems(tmp_path, text)
    assert [one for one in found if one.path == path and said in f"{one.found}; {one.expected}"], [
        str(one) for one in found
    ]


@pytest.mark.parametrize(
    ("source", "emit", "path", "said"),
    [
        ("kafka", "r", "pipeline[0].$source.schemaRegistry.connectionName", "a SchemaRegistry connection"),
        ("r", "gone", "pipeline[1].$emit.schemaRegistry.connectionName", "no connection 'gone'"),
    ],
)
def test_stages_name_a_registry_that_is_there(
    tmp_path: Path, source: str, emit: str, path: str, said: str
) -> None:
    """Of its type, at both ends."""
    processor = f"""
    - $source: {{connectionName: kafka, topic: a, schemaRegistry: {{connectionName: {source}}}}}
    - $emit:
        connectionName: kafka
        topic: b
        schemaRegistry:
          connectionName: {emit}
          valueSchema: {{type: avro, schema: {{type: map, values: string}}}}
    """
    text = KAFKA + "r: {type: SchemaRegistry, urls: 'http://r'}\n"
    with pytest.raises(Invalid) as caught:
        load_app(write(tmp_path, {"connections.yaml": text, "processors/p.yaml": processor}), {})
    assert [one for one in caught.value.problems if one.path == path and said in str(one)]


def test_a_replaced_secret_and_certificate_are_seen(tmp_path: Path) -> None:
    """Once the files have stood still for a look."""
    text = """
    r: {type: SchemaRegistry, urls: "http://r", security: {caFile: ca.pem},
        authentication: {username: me, password: {file: pw}}}
    """
    folder = write(tmp_path, {"connections.yaml": KAFKA + dedent(text), "pw": "old", "ca.pem": "x"})
    rotation = Rotation(folder, os.environ, load_app(folder, os.environ).connections)
    (folder / "pw").write_text("newer")
    (folder / "ca.pem").write_text("other")
    rotation.look()
    found = rotation.look()
    assert [one.name for one in found.connections] == ["r"]
    assert found.renewed == ("r",)
