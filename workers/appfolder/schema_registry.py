"""A SchemaRegistry connection as a user writes it, and as confluent-kafka's client takes it."""

from __future__ import annotations

from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from workers.settings import Model, Seconds

_URL_RULE: Final = "http(s) URLs such as https://registry.example.com:8081, as a list or with commas"
_KINDS: Final = "USER_INFO (username, password) or BEARER (token)"
# Atlas's names for what is shorter here; both mean the same.
_ATLAS: Final = {"schemaRegistryUrls": "urls", "schemaRegistryAuthentication": "authentication"}


class RegistryAuthentication(Model):
    """`authentication` of a SchemaRegistry connection. An API key with its secret is USER_INFO."""

    type: Literal["USER_INFO", "BEARER"] = "USER_INFO"
    username: str | None = Field(default=None, min_length=1)
    password: SecretStr | None = Field(default=None, min_length=1)
    token: SecretStr | None = None
    logical_cluster: str | None = Field(default=None, min_length=1)
    identity_pool_id: str | None = Field(default=None, min_length=1)

    @field_validator("type", mode="before")
    @classmethod
    def _known_type(cls, value: Any) -> Any:
        if value == "SASL_INHERIT":
            raise ValueError(f"{_KINDS} (SASL_INHERIT is not in Penstock yet)")
        if value not in ("USER_INFO", "BEARER"):
            raise ValueError(_KINDS)
        return value

    @field_validator("username")
    @classmethod
    def _is_user(cls, value: str | None) -> str | None:
        if value is not None and ":" in value:
            raise ValueError("a name without ':', which ends it in HTTP's basic authentication")
        return value

    @field_validator("token")
    @classmethod
    def _is_token(cls, value: SecretStr | None) -> SecretStr | None:
        text = "" if value is None else value.get_secret_value()
        if value is not None and (not text.isascii() or not text.isprintable() or " " in text or not text):
            raise ValueError("a token of visible ASCII characters, without 'Bearer'")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        user, bearer = ("username", "password"), ("token", "logicalCluster", "identityPoolId")
        needed, useless = (user, bearer) if self.type == "USER_INFO" else (("token",), user)
        said = {
            field.alias for name, field in type(self).model_fields.items() if getattr(self, name) is not None
        }
        missing = [key for key in needed if key not in said]
        extra = [key for key in useless if key in said]
        if missing:
            raise ValueError(f"{self.type} without {' and '.join(missing)}")
        if extra:
            raise ValueError(f"{self.type} with {' and '.join(extra)}, which it has no use for")
        return self


class RegistrySecurity(Model):
    """`security` of a SchemaRegistry connection. Files are paths from the app folder."""

    ca_file: str | None = Field(default=None, min_length=1)
    certificate_file: str | None = Field(default=None, min_length=1)
    key_file: str | None = Field(default=None, min_length=1)
    key_password: SecretStr | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.key_file and not self.certificate_file:
            raise ValueError("keyFile without certificateFile")
        if self.key_password is not None and not self.certificate_file:
            raise ValueError("keyPassword without certificateFile")
        return self


class SchemaRegistryConnection(Model):
    """A schema registry that speaks Confluent's REST interface. Its `urls` are tried in turn."""

    type: Literal["SchemaRegistry"] = "SchemaRegistry"
    name: str
    provider: Literal["CONFLUENT"] = "CONFLUENT"
    urls: tuple[str, ...] = Field(min_length=1, description=f"urls, {_URL_RULE}")
    authentication: RegistryAuthentication | None = None
    security: RegistrySecurity = Field(default_factory=RegistrySecurity)
    # A registry answers from its memory, in milliseconds.
    timeout: Seconds = Field(default=5.0, ge=0.1, le=60)

    @model_validator(mode="before")
    @classmethod
    def _own_names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        for theirs, ours in _ATLAS.items():
            if theirs in value and ours in value:
                raise ValueError(f"{theirs} beside {ours}, which mean the same; write it once")
        return {_ATLAS.get(name, name): one for name, one in value.items()}

    @field_validator("urls", mode="before")
    @classmethod
    def _are_urls(cls, value: Any) -> Any:
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
            raise ValueError(_URL_RULE)
        found = [one.strip().rstrip("/") for text in texts for one in text.split(",") if one.strip()]
        for one in found:
            try:
                parts = urlsplit(one)
                host, _ = parts.hostname, parts.port
            except ValueError:
                raise ValueError(_URL_RULE) from None
            if parts.scheme not in ("http", "https") or not host or not one.isprintable() or " " in one:
                raise ValueError(_URL_RULE)
            if "@" in parts.netloc:
                raise ValueError("URLs without a user; write authentication instead")
            if parts.query or parts.fragment:
                raise ValueError("URLs without a query or fragment")
        if not found:
            raise ValueError(_URL_RULE)
        return tuple(found)


def registry_client_config(connection: SchemaRegistryConnection, ca_bundle: str) -> dict[str, Any]:
    """The connection as confluent-kafka's client takes it, secrets included: never log it. `ca_bundle` is for
    one that names none."""
    security, who = connection.security, connection.authentication
    found: dict[str, Any] = {
        "url": ",".join(connection.urls),
        "timeout": connection.timeout,
        "max.retries": 0,  # the engine tries again, by its own rules
        "ssl.ca.location": security.ca_file or ca_bundle,
        "ssl.certificate.location": security.certificate_file,
        "ssl.key.location": security.key_file,
        "ssl.key.password": _revealed(security.key_password),
    }
    if who is not None and who.type == "USER_INFO":
        found["basic.auth.user.info"] = f"{who.username}:{_revealed(who.password)}"
    elif who is not None:
        found |= {
            "bearer.auth.credentials.source": "STATIC_TOKEN",
            "bearer.auth.token": _revealed(who.token),
            # The client insists on one; registries other than Confluent Cloud's do not look at it.
            "bearer.auth.logical.cluster": who.logical_cluster or "",
            "bearer.auth.identity.pool.id": who.identity_pool_id,
        }
    return {name: value for name, value in found.items() if value is not None}


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
