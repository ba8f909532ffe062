"""What `functions/authentication.yaml` says, as data. Secrets show in no repr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.functions.context import User


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A key pair to sign requests with, and the user that its calls are."""

    secret: str = field(repr=False)
    user: User


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A public key (or, with HS algorithms, a shared secret) that tokens are checked with. `algorithm` is the
    only one that it is for, when its set says so."""

    material: Any = field(repr=False)
    kid: str | None = None
    algorithm: str | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are believed, and what they say of a user.

    `keys` are those of a file or secret; with `url` they are fetched. `data` maps a field of the user's data
    to a claim; None: every claim but the registered ones."""

    name: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    keys: tuple[TokenKey, ...] = ()
    url: str = ""
    user_claim: str = "sub"
    data: Mapping[str, str] | None = None
    leeway_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Accounts:
    """Everybody who may call. `api_keys` are by the SHA-256 of the key, in hexadecimal digits; `files` are
    what all of it was read from."""

    access_keys: Mapping[str, AccessKey] = field(default_factory=dict)
    api_keys: Mapping[str, User] = field(default_factory=dict, repr=False)
    issuers: Mapping[str, Issuer] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nobody could call."""
        return not (self.access_keys or self.api_keys or self.issuers)
