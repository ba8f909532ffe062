"""An Https connection as a user writes it: a URL, headers, whom to trust, and where requests may go."""

from __future__ import annotations

import re
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from workers.calls.addresses import forbidden, literal
from workers.pipeline.http_text import OWN_HEADERS, is_header_name, is_header_value
from workers.settings import Model

_HOST: Final = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9._:-]*[a-z0-9])?|\[?[0-9a-f:.]+\]?")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_URL_RULE: Final = "an http(s) URL of a host, as https://api.example.com/v1"


class HttpsSecurity(Model):
    """`security` of an Https connection. Files are paths from the app folder."""

    ca_file: str | None = Field(default=None, min_length=1)
    certificate_file: str | None = Field(default=None, min_length=1)
    key_file: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.key_file and not self.certificate_file:
            raise ValueError("keyFile without certificateFile")
        return self


class HttpsConnection(Model):
    """A service that `$https` sends requests to. `headers` go with every request; they are where API keys and
    tokens stand, and never show. `allowHosts` are the hosts that `url` may name, whatever fills it in."""

    type: Literal["Https"] = "Https"
    name: str
    url: str = Field(description=_URL_RULE)
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    security: HttpsSecurity = Field(default_factory=HttpsSecurity)
    allow_hosts: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="hosts such as api.example.com or *.example.com"
    )

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError(_URL_RULE) from None
        if parts.scheme not in ("http", "https") or not host or not _VISIBLE.fullmatch(value):
            raise ValueError(_URL_RULE)
        if "@" in parts.netloc:
            raise ValueError("a URL without a user; write the header Authorization instead")
        if "?" in value or "#" in value:
            raise ValueError("a URL without a query or fragment; `parameters` of the stage make a query")
        if "\\" in value or any(one in (".", "..") for one in parts.path.split("/")):
            raise ValueError("a URL whose path has no '.', '..' and backslash")
        return value.rstrip("/")

    @field_validator("headers")
    @classmethod
    def _can_be_sent(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        seen: set[str] = set()
        for name, secret in value.items():
            lower = name.lower()
            if not is_header_name(name):
                raise ValueError(f"names that HTTP headers can have, not {name!r}")
            if lower in OWN_HEADERS:
                raise ValueError(f"headers other than {name}, which Penstock sets itself")
            if lower in seen:
                raise ValueError(f"each header once, whatever its case, not {name} twice")
            if not is_header_value(secret.get_secret_value()):
                raise ValueError(f"a value of {name} in one line of Latin-1 text")
            seen.add(lower)
        return value

    @field_validator("allow_hosts", mode="before")
    @classmethod
    def _are_hosts(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        found = [one.strip().lower() if isinstance(one, str) else "" for one in value]
        for one, given in zip(found, value, strict=True):
            if not _HOST.fullmatch(one):
                raise ValueError(f"hosts such as api.example.com or *.example.com, not {given!r}")
        return tuple(found)

    @model_validator(mode="after")
    def _is_allowed(self) -> Self:
        host = (urlsplit(self.url).hostname or "").rstrip(".")
        address = literal(host)
        why = None if address is None else forbidden(address)
        if why is not None:
            raise ValueError(f"the url's host is {address}, {why}: no request is ever sent there")
        if self.allow_hosts is not None and not any(_fits(host, rule) for rule in self.allow_hosts):
            raise ValueError(f"the url's host is none of allowHosts ({', '.join(self.allow_hosts)})")
        return self


def _fits(host: str, rule: str) -> bool:
    if rule.startswith("*."):
        return host.endswith(rule[1:])
    return host == rule.removeprefix("[").removesuffix("]")
