"""Callers who can say who they are: an access key, an API key, and an issuer of tokens with its key set."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import jwt
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.fakes.lambda_client import KEYS
from workers.functions.authentication.accounts_file import FILE, read_accounts
from workers.functions.authentication.gate import Gate

ISSUER: Final = "https://login.example.com/"
AUDIENCE: Final = "penstock"
API_KEY: Final = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
ENV: Final = {"WORKER_SECRET": KEYS.secret_access_key, "CI_KEY": API_KEY}
ACCOUNTS: Final = f"""\
accessKeys:
  {KEYS.access_key_id}: {{secret: "${{WORKER_SECRET}}", user: worker, data: {{role: support}}}}
apiKeys:
  ci: {{key: "${{CI_KEY}}"}}
tokens:
  {ISSUER}: {{audience: {AUDIENCE}, jwksFile: keys.json, algorithms: [RS256, ES256]}}
"""


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Signs tokens, and publishes the keys that check them."""

    kid: str = "first"
    algorithm: str = "ES256"
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def token(
        self, subject: str | None = "ann", header: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token for an hour, unless the claims say otherwise; a claim that is None is left out."""
        now = int(time.time())
        whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": now + 3600, **claims}
        kept = {name: value for name, value in whole.items() if value is not None}
        head = {"kid": self.kid, **(header or {})}
        named = {name: value for name, value in head.items() if value is not None}
        return jwt.encode(kept, self.key, self.algorithm, named)

    def public(self) -> dict[str, Any]:
        """The key as it stands in a key set."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        public: dict[str, Any] = json.loads(algorithm.to_jwk(self.key.public_key()))
        return {**public, "kid": self.kid, "use": "sig", "alg": self.algorithm}


def key_set(*issuers: TokenIssuer) -> str:
    """The JSON Web Key Set of these issuers."""
    return json.dumps({"keys": [one.public() for one in issuers]})


def rsa_issuer(bits: int = 2_048) -> TokenIssuer:
    """An issuer that signs with RS256."""
    return TokenIssuer("rsa", "RS256", rsa.generate_private_key(65_537, bits))


def write_accounts(app_dir: Path, issuer: TokenIssuer, text: str = ACCOUNTS) -> Path:
    """Write the accounts and the issuer's key set into an app folder; returns the accounts' path."""
    path = app_dir / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    (app_dir / "keys.json").write_text(key_set(issuer), "utf-8")
    return path


def gate_for(app_dir: Path, issuer: TokenIssuer) -> Gate:
    """The gate of an app folder with these accounts."""
    return Gate(read_accounts(write_accounts(app_dir, issuer), app_dir, ENV))


def signed_headers(
    method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, secret: str = ""
) -> dict[str, str]:
    """What botocore sends with this request; `secret` replaces the right one."""
    request = AWSRequest(method, url, data=body, headers=dict(headers or {}))
    keys = Credentials(KEYS.access_key_id, secret or KEYS.secret_access_key)
    SigV4Auth(keys, "lambda", "eu-west-1").add_auth(request)
    return dict(request.headers.items())
