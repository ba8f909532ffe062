"""The user of a request: by its signature, its bearer token or its API key; else 403."""

from __future__ import annotations

import hashlib
import logging
import time
from typing import Final

from workers.functions.answers import ApiError
from workers.functions.authentication import refusals
from workers.functions.authentication.accounts import Accounts
from workers.functions.authentication.signature import ALGORITHM, Signatures, SignedRequest
from workers.functions.authentication.tokens import Tokens
from workers.functions.context import User
from workers.functions.http_request import RequestHead

log = logging.getLogger("penstock.functions")

# App Services' name of the header, in both spellings, and API Gateway's.
API_KEY_HEADERS: Final = ("apikey", "api-key", "x-api-key")
TOKEN_HEADER: Final = "jwttokenstring"  # noqa: S105 - a header's name: App Services'
MAX_API_KEY_CHARACTERS: Final = 1_024


class Gate:
    """Says who sends a request. Accounts may be replaced while it is in use."""

    def __init__(self, accounts: Accounts) -> None:
        self._take(accounts)

    def _take(self, accounts: Accounts) -> None:
        self._api_keys = accounts.api_keys
        self._signatures = Signatures(accounts.access_keys)
        self._tokens = Tokens(accounts.issuers)

    async def replace(self, accounts: Accounts) -> None:
        """Go on with these accounts: who is not among them is refused from the next request on."""
        old = self._tokens
        self._take(accounts)
        await old.close()

    async def close(self) -> None:
        """End what fetches keys."""
        await self._tokens.close()

    async def identify(self, request: RequestHead, body: bytes) -> User | None:
        """The user of a request. Raises ApiError: 403, or 503 when a token's keys cannot be fetched."""
        try:
            return await self._user(request, body)
        except ApiError as refused:
            # Neither what the caller sent nor the text: either could hold what must stay unknown.
            log.info("caller refused", extra={"code": refused.code, "address": request.remote})
            raise

    async def _user(self, request: RequestHead, body: bytes) -> User:
        headers = request.headers
        authorization = headers.getall("authorization", [])
        if len(authorization) > 1:
            raise refusals.incomplete("There is more than one Authorization header.")
        if authorization and authorization[0].startswith(ALGORITHM):
            path, _, query = request.raw_path.partition("?")
            names = frozenset(name.lower() for name in headers)
            signed = SignedRequest(request.method, path, query, headers, names, body)
            return self._signatures.user(signed, time.time())
        for name in API_KEY_HEADERS:
            if name in headers:
                return self._by_api_key(headers[name])
        token = _token(authorization[0]) if authorization else headers.get(TOKEN_HEADER)
        if token is None:
            raise refusals.missing()
        return await self._tokens.user(token)

    def _by_api_key(self, key: str) -> User:
        """Looked up by its hash: how long that takes tells nothing of a key."""
        if len(key) > MAX_API_KEY_CHARACTERS:
            raise refusals.unknown()
        user = self._api_keys.get(hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest())
        if user is None:
            raise refusals.unknown()
        return user


def _token(authorization: str) -> str | None:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
