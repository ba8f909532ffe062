"""connections.yaml: what is taken, what is refused, and that no secret shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.unit.appfolder.folders import write
from workers.appfolder import (
    App,
    KafkaConnection,
    LambdaConnection,
    LaterConnection,
    SampleConnection,
    kafka_client_config,
    load_app,
)
from workers.errors import Invalid, Problem

SECRET = "correct-horse-battery"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
K = "a: {type: Kafka, bootstrapServers: 'a:1', "
KAFKA = 'kafka: {type: Kafka, bootstrapServers: "k:9092"}\n'


def load(folder: Path, text: str, env: Mapping[str, str] | None = None, **files: str) -> App:
    return load_app(write(folder, {"connections.yaml": text, **files}), env or {})


def problems(folder: Path, text: str, env: Mapping[str, str] | None = None) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        load(folder, text, env, empty="\n")
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.problems)
    return [problem for problem in caught.value.problems if problem.file == "connections.yaml"]


def kafka(app: App, name: str = "kafka") -> KafkaConnection:
    connection = app.connections[name]
    assert isinstance(connection, KafkaConnection)
    return connection


def test_a_plain_kafka_connection_needs_servers_alone(tmp_path: Path) -> None:
    """Defaults: PLAINTEXT, groupProtocol auto."""
    connection = kafka(load(tmp_path, 'kafka: {type: Kafka, bootstrapServers: "a:9092, b:9092"}'))
    assert connection.group_protocol == "auto"
    assert kafka_client_config(connection) == {
        "bootstrap.servers": "a:9092,b:9092", "security.protocol": "PLAINTEXT",
    }  # fmt: skip


def test_connections_may_be_a_list_with_names(tmp_path: Path) -> None:
    """Atlas's form: a list of documents, each with its name."""
    text = """
    - {name: kafka, type: Kafka, bootstrapServers: ["a:9092", "b:9093"]}
    - {name: later, type: S3, aws: {roleArn: x}}
    """
    app = load(tmp_path, text)
    assert kafka(app).bootstrap_servers == ("a:9092", "b:9093")
    assert isinstance(app.connections["later"], LaterConnection)


@pytest.mark.parametrize("mechanism", ["SCRAM-256", "SCRAM-SHA-256"])
def test_scram_over_tls_becomes_the_clients_settings(tmp_path: Path, mechanism: str) -> None:
    """Atlas's names and Kafka's own are both taken; paths of certificates become absolute."""
    text = f"""
    kafka:
      type: Kafka
      bootstrapServers: "k:9093"
      authentication: {{mechanism: {mechanism}, username: ann, password: "${{PASSWORD}}"}}
      security: {{protocol: SASL_SSL, caFile: certs/ca.pem, verifyHostname: false}}
      config: {{linger.ms: 20, socket.keepalive.enable: true, fetch.min.bytes: "1"}}
    """
    connection = kafka(load(tmp_path, text, {"PASSWORD": SECRET}, **{"certs/ca.pem": PEM}))
    assert kafka_client_config(connection, "consumer") == {
        "bootstrap.servers": "k:9093", "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(tmp_path / "certs/ca.pem"), "ssl.endpoint.identification.algorithm": "none",
        "sasl.mechanism": "SCRAM-SHA-256", "sasl.username": "ann", "sasl.password": SECRET,
        "socket.keepalive.enable": "true", "fetch.min.bytes": "1",
    }  # fmt: skip
    assert kafka_client_config(connection, "producer")["linger.ms"] == "20"
    assert "fetch.min.bytes" not in kafka_client_config(connection, "producer")
    assert {"linger.ms", "fetch.min.bytes"} <= kafka_client_config(connection).keys()
    assert SECRET not in repr(connection) + str(connection) + connection.model_dump_json()


def test_oauth_and_client_certificates_become_the_clients_settings(tmp_path: Path) -> None:
    """OIDC's endpoint and client, a certificate of ours with its key, the broker's certificate as text."""
    text = """
    oauth:
      type: Kafka
      bootstrapServers: "k:9093"
      authentication:
        mechanism: OAUTHBEARER
        method: OIDC
        tokenEndpointUrl: https://id.example.com/token
        clientId: penstock
        clientSecret: {file: secret.txt}
        scope: kafka
        saslOauthbearerExtensions: logicalCluster=lkc-1,identityPoolId=pool-1
      security: {protocol: SASL_SSL}
    kafka:
      type: Kafka
      bootstrapServers: "k:9093"
      security: {protocol: SSL, brokerPublicCertificate: "${CA}", certificateFile: c.pem, keyFile: k.pem,
                 keyPassword: "${file:secret.txt}"}
    """
    app = load(tmp_path, text, {"CA": PEM}, **{"secret.txt": f"{SECRET}\n", "c.pem": PEM, "k.pem": PEM})
    oauth = kafka_client_config(kafka(app, "oauth"))
    assert {key: text for key, text in oauth.items() if key.startswith("sasl.")} == {
        "sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": "https://id.example.com/token",
        "sasl.oauthbearer.client.id": "penstock", "sasl.oauthbearer.client.secret": SECRET,
        "sasl.oauthbearer.scope": "kafka",
        "sasl.oauthbearer.extensions": "logicalCluster=lkc-1,identityPoolId=pool-1",
    }  # fmt: skip
    mutual = kafka_client_config(kafka(app))
    assert mutual["ssl.ca.pem"] == PEM
    assert mutual["ssl.certificate.location"] == str(tmp_path / "c.pem")
    assert mutual["ssl.key.password"] == SECRET
    assert mutual["ssl.endpoint.identification.algorithm"] == "https"


@pytest.mark.parametrize(
    ("servers", "region", "found"),
    [
        ("b-1.orders.ab12.c2.kafka.eu-central-1.amazonaws.com:9098", "", "eu-central-1"),
        ("boot-x1.c1.kafka-serverless.us-east-1.amazonaws.com:9098", "", "us-east-1"),
        ("b-1.x.kafka.cn-north-1.amazonaws.com.cn:9098,b-2.x.kafka.cn-north-1.amazonaws.com.cn:9098", "",
         "cn-north-1"),
        ("msk.internal.example.com:9098", "region: eu-west-1, ", "eu-west-1"),
        ("b-1.x.kafka.us-east-1.amazonaws.com:9098", "region: eu-west-1, ", "eu-west-1"),
    ],
)  # fmt: skip
def test_msk_by_iam_takes_its_region_from_the_brokers(
    tmp_path: Path, servers: str, region: str, found: str
) -> None:
    """Unless the connection says it. To the client it is OAUTHBEARER, whose tokens are made outside of
    librdkafka."""
    text = f"""
    kafka:
      type: Kafka
      bootstrapServers: "{servers}"
      authentication: {{mechanism: AWS_MSK_IAM, {region}roleArn: 'arn:aws:iam::123456789012:role/msk'}}
      security: {{protocol: SASL_SSL}}
    """
    connection = kafka(load(tmp_path, text))
    assert connection.msk_region == found
    config = kafka_client_config(connection)
    assert {key: value for key, value in config.items() if key.startswith("sasl.")} == {
        "sasl.mechanism": "OAUTHBEARER"
    }
    assert config["security.protocol"] == "SASL_SSL"


@pytest.mark.parametrize(
    "fields",
    [
        "aws: {roleArn: 'arn:aws:iam::123456789012:role/caller', externalId: ext, region: eu-central-1}",
        "roleArn: 'arn:aws:iam::123456789012:role/caller', externalId: ext, region: eu-central-1",
    ],
)
def test_lambda_fields_may_be_nested_or_flat(tmp_path: Path, fields: str) -> None:
    """Atlas writes them below `aws`; both mean the same."""
    connection = load(tmp_path, f"{KAFKA}fn: {{type: AWSLambda, {fields}}}").connections["fn"]
    assert isinstance(connection, LambdaConnection)
    assert (connection.role_arn, connection.external_id, connection.region) == (
        "arn:aws:iam::123456789012:role/caller", "ext", "eu-central-1",
    )  # fmt: skip


def test_a_sample_names_where_to_produce(tmp_path: Path) -> None:
    """`penstock dev` feeds the topic of a Kafka connection."""
    text = f"{KAFKA}sample: {{type: Sample, connectionName: kafka, topic: orders, perSecond: 50}}"
    sample = load(tmp_path, text).connections["sample"]
    assert isinstance(sample, SampleConnection)
    assert (sample.data_set, sample.topic, sample.per_second, sample.seed) == ("orders", "orders", 50.0, 1)


def test_variables_have_defaults_and_dollars_can_be_written(tmp_path: Path) -> None:
    """`:-` counts an empty variable as unset, as shells do; $${ is a plain ${."""
    text = """
    kafka:
      type: Kafka
      bootstrapServers: "${HOST:-localhost}:${PORT}"
      config: {client.id: "$${x}-$HOME", client.rack: "${EMPTY:-rack}"}
    """
    connection = kafka(load(tmp_path, text, {"PORT": "9092", "EMPTY": ""}))
    assert connection.bootstrap_servers == ("localhost:9092",)
    assert connection.config == {"client.id": "${x}-$HOME", "client.rack": "rack"}


def test_every_unset_variable_is_named_with_its_place(tmp_path: Path) -> None:
    """And nothing else is said of the values that are not there."""
    text = """
    kafka: {type: Kafka, bootstrapServers: "${A}", config: {client.id: "${B}", client.rack: "${bad name}"}}
    other: {type: Kafka, bootstrapServers: {file: none.txt}, groupProtocol: "${C"}
    """
    found = problems(tmp_path, text)
    assert [(one.path, one.found) for one in found] == [
        ("kafka.bootstrapServers", "the environment variable A is not set"),
        ("kafka.config.client.id", "the environment variable B is not set"),
        ("kafka.config.client.rack", "${bad name}"),
        ("other.bootstrapServers", "the file none.txt cannot be read (No such file or directory)"),
        ("other.groupProtocol", "${ without its }"),
    ]
    assert found[0].expected == "set it, or write ${A:-default}"


@pytest.mark.parametrize(
    ("text", "path", "found", "expected"),
    [
        ("{}", "", "a mapping", "connections by their names"),
        ("a: 5", "a", "found 5", "a mapping with type"),
        ("a: {}", "a.type", "is missing", "known: Kafka, AWSLambda, Https, SchemaRegistry, Sample"),
        ("a: {type: kafkaa}", "a.type", "found 'kafkaa'", "did you mean Kafka?"),
        ("'a b': {type: Kafka}", "a b.name", "found 'a b'", "letters, digits"),
        ("a: {name: b, type: Kafka}", "a.name", "found 'b'", "a, or no name"),
        ("[{type: Kafka}]", "[0].name", "is missing", "required"),
        ("[{name: a, type: S3}, {name: a, type: S3}]", "[1]", "'a' a second time", "once"),
        ("a: {type: Kafka}", "a.bootstrapServers", "is missing", "kafka-1:9092"),
        ("a: {type: Kafka, bootstrapServers: localhost}", "a.bootstrapServers", "'localhost'", "host:port"),
        ("a: {type: Kafka, bootstrapServers: []}", "a.bootstrapServers", "a list", "at least one"),
        (K + "bootstrapServer: x}", "a.bootstrapServer",
         "unknown key", "did you mean bootstrapServers?"),
        (K + "groupProtocol: klassic}", "a.groupProtocol",
         "'klassic'", "auto, consumer or classic"),
        (K + "networking: {access: {type: VPC}}}", "a.networking",
         "unknown key", "known"),
        (K + "security: SSL}", "a.security", "'SSL'", "a mapping"),
        (K + "security: {protocl: SSL}}", "a.security.protocl",
         "unknown key", "did you mean protocol?"),
        (K + "security: {verifyHostname: maybe}}",
         "a.security.verifyHostname", "'maybe'", "true or false"),
        (K + "security: {caFile: none.pem}}", "a.security.caFile",
         "none.pem is no file", "a path from the app folder"),
        (K + "security: {brokerPublicCertificate: x}}",
         "a.security.brokerPublicCertificate", "'x'", "PEM"),
        (K + "security: {certificateFile: x}}", "a.security",
         "belong together", ""),
        (K + "security: {protocol: SASL_SSL}}", "a",
         "without authentication", ""),
        (K + "authentication: {mechanism: PLAIN, username: u, password: p}}",
         "a", "authentication without security.protocol", ""),
        (K + "authentication: {mechanism: PLAIN}}", "a.authentication",
         "PLAIN without username and password", ""),
        (K + "authentication: {mechanism: PLAIN, username: u, password: ''}}",
         "a.authentication.password", "not shown", "a text that is not empty"),
        (K + "authentication: {mechanism: PLAIN, username: u, password: 1234}}",
         "a.authentication.password", "not shown", "digits in quotes"),
        (K + "authentication: {mechanism: PLAIN, username: u, password: {file: empty}}}",
         "a.authentication.password", "the file empty is empty", "a file with the secret in it"),
        (K + "authentication: {mechanism: AWS_MSK_IAM, externalId: x}}",
         "a.authentication.externalId", "'x'", "a text of at least 2 characters"),
        (K + "authentication: {mechanism: AWS_MSK}}",
         "a.authentication.mechanism", "AWS_MSK", "AWS_MSK_IAM"),
        (K + "authentication: {mechanism: AWS_MSK_IAM, username: u}}",
         "a.authentication", "AWS_MSK_IAM with username", ""),
        (K + "authentication: {mechanism: AWS_MSK_IAM, externalId: ext}}",
         "a.authentication", "externalId without roleArn", ""),
        (K + "authentication: {mechanism: AWS_MSK_IAM}, security: {protocol: SASL_SSL}}",
         "a", "AWS_MSK_IAM without region", "eu-central-1"),
        (K + "authentication: {mechanism: AWS_MSK_IAM}, security: {protocol: SASL_PLAINTEXT}}",
         "a", "AWS_MSK_IAM with security.protocol SASL_PLAINTEXT", "SASL_SSL"),
        (K + "authentication: {mechanism: PLAIN, username: u, password: p, region: eu-west-1}}",
         "a.authentication", "PLAIN with region", ""),
        (K + "config: {acks: 1, lingerms: 5, linger.ms: soon}}", "a.config",
         "acks is not allowed (it is all, so that", ""),
        (K + "config: {session.timeout.ms: 5000}}", "a",
         "groupProtocol: classic", ""),
        ("f: {type: AWSLambda, region: Frankfurt}", "f.region", "'Frankfurt'", "eu-central-1"),
        ("f: {type: AWSLambda, endpointUrl: 'localhost:9000'}", "f.endpointUrl", "'localhost:9000'",
         "http(s)"),
        (f"f: {{type: AWSLambda, endpointUrl: 'http://me:{SECRET}@host:9000'}}", "f.endpointUrl",
         "found 'http://...@host:9000'", "a URL without a user"),
        (f"f: {{type: SchemaRegistry, urls: 'http://me:{SECRET}@host'}}", "f.urls",
         "found 'http://...@host'", "URLs without a user"),
        ("f: {type: AWSLambda, roleArn: 'arn:aws:iam::1:role/x'}", "f.roleArn", "arn:aws:iam::1",
         "role/<name>"),
        ("f: {type: AWSLambda, externalId: xx}", "f", "externalId without roleArn", ""),
        ("f: {type: AWSLambda, accessKeyId: x}", "f", "belong together", ""),
        ("f: {type: AWSLambda, aws: {region: eu-west-1}, region: eu-west-1}", "f", "beside aws and in it",
         ""),
        ("s: {type: Sample}", "s.connectionName", "is missing", "Kafka connection"),
        ("s: {type: Sample, connectionName: s, topic: t}", "s.connectionName", "type Sample", "a Kafka"),
        ("s: {type: Sample, connectionName: k, topic: t}", "s.connectionName", "no connection", "a Kafka"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path: Path, text: str, path: str, found: str, expected: str) -> None:
    """The place, what stands there, what would be right."""
    matching = [
        one for one in problems(tmp_path, text) if one.path == path and found in one.found + one.expected
    ]
    assert matching, [str(one) for one in problems(tmp_path, text)]
    assert expected in str(matching[0])


def test_all_of_config_is_reported_at_once(tmp_path: Path) -> None:
    """Three wrong settings are three reasons."""
    text = "a: {type: Kafka, bootstrapServers: 'a:1', config: {acks: 1, lingerms: 5, linger.ms: soon}}"
    (only,) = problems(tmp_path, text)
    assert "acks is not allowed" in only.found
    assert "lingerms is not allowed (did you mean linger.ms?)" in only.found
    assert "linger.ms must be a whole number from 0" in only.found


@pytest.mark.parametrize(
    "authentication",
    [
        f"{{mechanism: PLAIN, username: u, password: [{SECRET}]}}",
        f"{{mechanism: PLAIN, username: u, pasword: {SECRET}}}",
        "{mechanism: '${S}', username: u, password: p}",
        "{mechanism: PLAIN, username: {deep: '${S}'}, password: '${S}'}",
        "'${S}'",
    ],
)
def test_no_secret_shows_in_a_problem(tmp_path: Path, authentication: str) -> None:
    """Not when it has the wrong type, nor under a misspelt key, nor in the wrong place by a variable."""
    text = f"a: {{type: Kafka, bootstrapServers: 'a:1', authentication: {authentication}}}"
    assert problems(tmp_path, text, {"S": SECRET})


def test_a_missing_file_of_connections_is_a_problem(tmp_path: Path) -> None:
    """So are two of them."""
    write(tmp_path, {})
    (tmp_path / "connections.yaml").rename(tmp_path / "connections.json5")
    with pytest.raises(Invalid, match=r"connections.yaml: is missing"):
        load_app(tmp_path, {})
    write(tmp_path, {"connections.json": "{}"})
    with pytest.raises(Invalid, match="a second file of connections"):
        load_app(tmp_path, {})
