"""A Kafka connection as a user writes it, and as librdkafka's settings."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from workers.appfolder.kafka_config import SETTINGS, Role, reason_against
from workers.appfolder.nearest import suggest
from workers.settings import Model

_SERVER: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):\d{1,5}")
_MECHANISMS: Final = {
    "PLAIN": "PLAIN",
    "SCRAM-256": "SCRAM-SHA-256", "SCRAM-SHA-256": "SCRAM-SHA-256",
    "SCRAM-512": "SCRAM-SHA-512", "SCRAM-SHA-512": "SCRAM-SHA-512",
    "OAUTHBEARER": "OAUTHBEARER",
    "AWS_MSK_IAM": "AWS_MSK_IAM",
}  # fmt: skip
_KNOWN: Final = "PLAIN, SCRAM-256, SCRAM-512, OAUTHBEARER or AWS_MSK_IAM"
_USER: Final = ("username", "password")
_OAUTH: Final = ("tokenEndpointUrl", "clientId", "clientSecret")
_ONLY_OAUTH: Final = ("method", "scope", "saslOauthbearerExtensions")
_MSK: Final = ("region", "roleArn", "externalId")
# By mechanism: what it needs, and what more it takes.
_FIELDS: Final = {
    "OAUTHBEARER": (_OAUTH, _ONLY_OAUTH),
    "AWS_MSK_IAM": ((), _MSK),
}
# b-1.name.abc.c2.kafka.eu-central-1.amazonaws.com, boot-abc.c1.kafka-serverless.us-east-1.amazonaws.com
_MSK_HOST: Final = re.compile(r"\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?:\d+$")
ROLE_ARN: Final = r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$"
REGION: Final = r"^[a-z]{2,3}(-[a-z]+)+-\d{1,2}$"
_EXTENSION: Final = re.compile(r"[A-Za-z]+=[ -+\--~]+(?:,[A-Za-z]+=[ -+\--~]+)*")


def _servers(value: Any) -> Any:
    """`"a:9092,b:9092"` or a list of such, as a list of single servers."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
        raise ValueError("host:port, several with commas between them or as a list")
    found = [one.strip() for text in texts for one in text.split(",") if one.strip()]
    for one in found:
        if not _SERVER.fullmatch(one) or int(one.rpartition(":")[2]) > 65_535:
            raise ValueError("host:port, several with commas between them")
    if not found:
        raise ValueError("at least one host:port")
    return tuple(found)


class KafkaAuthentication(Model):
    """`authentication` of a Kafka connection: who we are. Passwords never show in a log, error or repr."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"]
    username: str | None = Field(default=None, min_length=1)
    password: SecretStr | None = Field(default=None, min_length=1)
    method: Literal["OIDC"] | None = None
    token_endpoint_url: str | None = Field(default=None, pattern="^https?://", description="an http(s) URL")
    client_id: str | None = Field(default=None, min_length=1)
    client_secret: SecretStr | None = Field(default=None, min_length=1)
    scope: str | None = None
    sasl_oauthbearer_extensions: str | None = None
    region: str | None = Field(default=None, pattern=REGION, description="a region such as eu-central-1")
    role_arn: str | None = Field(
        default=None, pattern=ROLE_ARN, description="arn:aws:iam::<account>:role/<name>"
    )
    external_id: str | None = Field(default=None, min_length=2, max_length=1_224)

    @field_validator("mechanism", mode="before")
    @classmethod
    def _known_mechanism(cls, value: Any) -> Any:
        if not isinstance(value, str) or value not in _MECHANISMS:
            raise ValueError(_KNOWN)
        return _MECHANISMS[value]

    @field_validator("sasl_oauthbearer_extensions")
    @classmethod
    def _key_value_pairs(cls, value: str | None) -> str | None:
        if value is not None and not _EXTENSION.fullmatch(value):
            raise ValueError("name=value, several with commas between them")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed, optional = _FIELDS.get(self.mechanism, (_USER, ()))
        useless = [key for key in (*_USER, *_OAUTH, *_ONLY_OAUTH, *_MSK) if key not in (*needed, *optional)]
        said = {
            field.alias for name, field in type(self).model_fields.items() if getattr(self, name) is not None
        }
        missing = [key for key in needed if key not in said]
        extra = [key for key in useless if key in said]
        if missing:
            raise ValueError(f"{self.mechanism} without {' and '.join(missing)}")
        if extra:
            raise ValueError(f"{self.mechanism} with {' and '.join(extra)}, which it has no use for")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("externalId without roleArn")
        return self


class KafkaSecurity(Model):
    """`security` of a Kafka connection: whom we trust. Files are paths from the app folder."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] | None = None
    ca_file: str | None = Field(default=None, min_length=1)
    broker_public_certificate: str | None = Field(default=None, min_length=1)
    certificate_file: str | None = Field(default=None, min_length=1)
    key_file: str | None = Field(default=None, min_length=1)
    key_password: SecretStr | None = None
    verify_hostname: bool = True

    @field_validator("broker_public_certificate")
    @classmethod
    def _pem(cls, value: str | None) -> str | None:
        if value is not None and "-----BEGIN CERTIFICATE-----" not in value:
            raise ValueError("a certificate in PEM (-----BEGIN CERTIFICATE-----); for a path write caFile")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.ca_file and self.broker_public_certificate:
            raise ValueError("caFile and brokerPublicCertificate name the same thing; write one of them")
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificateFile and keyFile belong together; write both")
        if self.key_password and not self.key_file:
            raise ValueError("keyPassword without keyFile")
        tls = (self.ca_file, self.broker_public_certificate, self.certificate_file)
        if self.protocol in ("PLAINTEXT", "SASL_PLAINTEXT") and any(tls):
            raise ValueError(f"certificates with protocol {self.protocol}, which has no use for them")
        return self


class KafkaConnection(Model):
    """A Kafka cluster. `config` holds librdkafka settings out of a list; the rest is Penstock's to decide."""

    type: Literal["Kafka"] = "Kafka"
    name: str
    bootstrap_servers: Annotated[tuple[str, ...], BeforeValidator(_servers)] = Field(
        description="bootstrapServers, such as kafka-1:9092,kafka-2:9092"
    )
    group_protocol: Literal["auto", "consumer", "classic"] = "auto"
    authentication: KafkaAuthentication | None = None
    security: KafkaSecurity = Field(default_factory=KafkaSecurity)
    config: dict[str, Any] = Field(default_factory=dict)

    @field_validator("config")
    @classmethod
    def _allowed(cls, value: dict[str, Any]) -> dict[str, str]:
        wrong, found = [], {}
        for name, setting in value.items():
            if name not in SETTINGS:
                wrong.append(f"{name} is not allowed ({reason_against(name) or suggest(name, SETTINGS)})")
                continue
            try:
                found[name] = SETTINGS[name].text(setting)
            except ValueError as error:
                wrong.append(f"{name} must be {error}")
        if wrong:
            raise ValueError("; ".join(wrong))
        return found

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        protocol = self.security.protocol
        if self.authentication is not None and protocol is None:
            raise ValueError("authentication without security.protocol; write SASL_SSL or SASL_PLAINTEXT")
        if self.authentication is not None and protocol in ("PLAINTEXT", "SSL"):
            raise ValueError(
                f"authentication with security.protocol {protocol}; write SASL_SSL or SASL_PLAINTEXT"
            )
        if self.authentication is None and protocol in ("SASL_PLAINTEXT", "SASL_SSL"):
            raise ValueError(
                f"security.protocol {protocol} without authentication; write a mechanism and who we are"
            )
        self._check_msk()
        classic = [name for name in self.config if SETTINGS[name].is_classic]
        if classic and self.group_protocol != "classic":
            raise ValueError(
                f"config {' and '.join(classic)} with groupProtocol {self.group_protocol}: the broker "
                "decides it for the group; write groupProtocol: classic, or leave it out"
            )
        return self

    def _check_msk(self) -> None:
        if self.authentication is None or self.authentication.mechanism != "AWS_MSK_IAM":
            return
        if self.security.protocol != "SASL_SSL":
            raise ValueError("AWS_MSK_IAM with security.protocol SASL_PLAINTEXT; write SASL_SSL")
        if not self.msk_region:
            raise ValueError(
                "AWS_MSK_IAM without region, and bootstrapServers are no names of MSK's that say it; write "
                "authentication.region, such as eu-central-1"
            )

    @property
    def msk_region(self) -> str:
        """The region that tokens of AWS_MSK_IAM are signed for: that of `authentication`, or of the brokers'
        names; empty where neither says it."""
        if self.authentication is not None and self.authentication.region is not None:
            return self.authentication.region
        found = {match[1] for server in self.bootstrap_servers if (match := _MSK_HOST.search(server))}
        return found.pop() if len(found) == 1 else ""


def kafka_client_config(connection: KafkaConnection, role: Role | None = None) -> dict[str, str]:
    """The connection as librdkafka's settings, secrets included: never log it.

    With AWS_MSK_IAM the callback that makes tokens is missing: `assembly.kafka_settings` adds it.

    `role` leaves out the `config` of the other side, which a client would warn of; None takes all. Paths of
    certificates are as written: `load_app` makes them absolute.
    """
    security, who = connection.security, connection.authentication
    protocol = security.protocol or ("SSL" if _says_tls(security) else "PLAINTEXT")
    found: dict[str, str | None] = {
        "bootstrap.servers": ",".join(connection.bootstrap_servers),
        "security.protocol": protocol,
    }
    if protocol.endswith("SSL"):
        found |= {
            "ssl.ca.location": security.ca_file,
            "ssl.ca.pem": security.broker_public_certificate,
            "ssl.certificate.location": security.certificate_file,
            "ssl.key.location": security.key_file,
            "ssl.key.password": _revealed(security.key_password),
            "ssl.endpoint.identification.algorithm": "https" if security.verify_hostname else "none",
        }
    if who is not None:
        found |= {
            "sasl.mechanism": "OAUTHBEARER" if who.mechanism == "AWS_MSK_IAM" else who.mechanism,
            "sasl.username": who.username,
            "sasl.password": _revealed(who.password),
            "sasl.oauthbearer.method": "oidc" if who.mechanism == "OAUTHBEARER" else None,
            "sasl.oauthbearer.token.endpoint.url": who.token_endpoint_url,
            "sasl.oauthbearer.client.id": who.client_id,
            "sasl.oauthbearer.client.secret": _revealed(who.client_secret),
            "sasl.oauthbearer.scope": who.scope,
            "sasl.oauthbearer.extensions": who.sasl_oauthbearer_extensions,
        }
    for name, text in connection.config.items():
        if role is None or SETTINGS[name].role in (role, "any"):
            found[name] = text
    return {name: text for name, text in found.items() if text is not None}


def _says_tls(security: KafkaSecurity) -> bool:
    return any((security.ca_file, security.broker_public_certificate, security.certificate_file))


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
