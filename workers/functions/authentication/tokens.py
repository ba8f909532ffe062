"""Bearer tokens: JSON Web Tokens of the issuers that the app believes.

A token counts when its issuer is listed, its algorithm is one of those listed for the issuer, its signature
is by a key of the issuer, its audience is one of the issuer's, and `exp` and `nbf` hold within the leeway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jwt

from workers.functions.authentication import refusals
from workers.functions.authentication.accounts import Issuer, TokenKey
from workers.functions.authentication.key_sets import FetchedKeys, pick
from workers.functions.context import User

MAX_USER_ID_CHARACTERS: Final = 256
REGISTERED: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})
_REQUIRED: Final = ["exp", "iss", "aud"]


class Tokens:
    """Checks tokens. Bound to the event loop of its first use when keys are fetched."""

    def __init__(self, issuers: Mapping[str, Issuer]) -> None:
        self._issuers = issuers
        self._fetched = {name: FetchedKeys(issuer.url) for name, issuer in issuers.items() if issuer.url}

    async def user(self, token: str) -> User:
        """The user that a token stands for. Raises ApiError: 403, or 503 when keys cannot be fetched."""
        try:
            header = jwt.get_unverified_header(token)
            claimed = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except (jwt.PyJWTError, ValueError, RecursionError):  # no text at all, or JSON nested without end
            raise refusals.unknown() from None
        issuer = self._issuers.get(claimed) if isinstance(claimed, str) else None
        if issuer is None or header.get("alg") not in issuer.algorithms:
            raise refusals.unknown()
        key = await self._key(issuer, header.get("kid"))
        if key is None or key.algorithm not in (None, header["alg"]):
            raise refusals.unknown()
        return user_of(_claims(token, issuer, key), issuer)

    async def close(self) -> None:
        """End what fetches."""
        for keys in self._fetched.values():
            await keys.close()

    async def _key(self, issuer: Issuer, kid: str | None) -> TokenKey | None:
        if issuer.url:
            return await self._fetched[issuer.name].find(kid)
        # A shared secret has no id, whatever the token calls it.
        return issuer.keys[0] if issuer.algorithms[0].startswith("HS") else pick(issuer.keys, kid)


def _claims(token: str, issuer: Issuer, key: TokenKey) -> Mapping[str, Any]:
    try:
        return jwt.decode(
            token,
            key.material,
            algorithms=list(issuer.algorithms),
            audience=issuer.audiences,
            issuer=issuer.name,
            leeway=issuer.leeway_seconds,
            options={"require": _REQUIRED},
        )
    except jwt.ExpiredSignatureError:
        raise refusals.expired() from None
    except (jwt.PyJWTError, TypeError, ValueError):  # a key of another kind than the algorithm's
        raise refusals.unknown() from None


def user_of(claims: Mapping[str, Any], issuer: Issuer) -> User:
    """The user that checked claims describe. Raises ApiError 403 when they name none."""
    user_id = claim(claims, issuer.user_claim)
    if not isinstance(user_id, str) or not 0 < len(user_id) <= MAX_USER_ID_CHARACTERS:
        raise refusals.unknown()
    if issuer.data is None:
        data = {name: value for name, value in claims.items() if name not in REGISTERED}
    else:
        found = {name: claim(claims, path) for name, path in issuer.data.items()}
        data = {name: value for name, value in found.items() if value is not None}
    identity = {"id": user_id, "provider_type": "custom-token", "issuer": issuer.name}
    return User(user_id, data=data, identities=(identity,))


def claim(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of that name (`https://example.com/role`), else of that path (`realm.role`); None when there
    is none."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value
