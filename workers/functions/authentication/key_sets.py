"""The public keys of token issuers: read from a JSON Web Key Set, or fetched and kept.

A set that was fetched is fresh for ten minutes. After that, and for a key id it does not have, it is fetched
again, at most every 30 seconds whatever tokens say; callers with a known key do not wait for it. When the URL
does not answer the old keys count on for an hour.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from typing import Any, Final

import aiohttp
import jwt

from workers.functions.authentication import refusals
from workers.functions.authentication.accounts import TokenKey
from workers.functions.settings import (
    KEY_SET_BYTES,
    KEY_SET_FRESH_SECONDS,
    KEY_SET_RETRY_SECONDS,
    KEY_SET_SECONDS,
    KEY_SET_SIZE,
    KEY_SET_STALE_SECONDS,
)

log = logging.getLogger("penstock.functions")

MIN_RSA_BITS: Final = 2_048


class BadKeySet(ValueError):
    """The text is no JSON Web Key Set with a key to check signatures with."""


def parse_key_set(text: str | bytes) -> tuple[TokenKey, ...]:
    """The keys of a set that can check signatures; others (for encryption, shared secrets, kinds that nobody
    knows, RSA below 2,048 bits) are left out. Raises BadKeySet when none remains."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise BadKeySet("is no JSON") from problem
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        raise BadKeySet('is no key set: {"keys": [...]}')
    if len(listed) > KEY_SET_SIZE:
        raise BadKeySet(f"has more than {KEY_SET_SIZE} keys")
    keys = tuple(key for one in listed if isinstance(one, dict) and (key := _key(one)) is not None)
    if not keys:
        raise BadKeySet("has no key to check signatures with")
    return keys


def _key(found: dict[str, Any]) -> TokenKey | None:
    if found.get("kty") == "oct" or found.get("use", "sig") != "sig":
        return None
    public = {
        name: value for name, value in found.items() if name not in ("d", "p", "q", "dp", "dq", "qi", "oth")
    }
    try:
        material = jwt.PyJWK(public).key
    except (jwt.PyJWTError, NotImplementedError):  # the latter: an `alg` that is no signature
        return None
    if found.get("kty") == "RSA" and material.key_size < MIN_RSA_BITS:
        return None
    kid, algorithm = found.get("kid"), found.get("alg")
    return TokenKey(
        material, kid if isinstance(kid, str) else None, algorithm if isinstance(algorithm, str) else None
    )


def pick(keys: Sequence[TokenKey], kid: str | None) -> TokenKey | None:
    """The key that a token names; the only one there is, when it names none."""
    if kid is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.kid == kid), None)


class FetchedKeys:
    """The key set behind a URL. Bound to the event loop of its first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: tuple[TokenKey, ...] = ()
        self._fetched = self._tried = float("-inf")
        self._fetch: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> TokenKey | None:
        """The key that a token names, or None. Raises ApiError 503 when there are no keys to look in."""
        now = time.monotonic()
        if now - self._fetched > KEY_SET_STALE_SECONDS:
            self._keys = ()
        key = pick(self._keys, kid)
        if (key is None or now - self._fetched > KEY_SET_FRESH_SECONDS) and self._fetch is None:
            if now - self._tried >= KEY_SET_RETRY_SECONDS:
                self._tried = now
                self._fetch = asyncio.create_task(self._get())
        if key is None and self._fetch is not None:
            await asyncio.wait({self._fetch})  # the fetch ends with these accounts, its callers do not
            key = pick(self._keys, kid)
        if not self._keys:
            raise refusals.no_keys()
        return key

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._fetch is not None:
            self._fetch.cancel()
            await asyncio.wait({self._fetch})

    async def _get(self) -> None:
        try:
            self._keys = parse_key_set(await _fetched(self._url))
            self._fetched = time.monotonic()
        except (aiohttp.ClientError, TimeoutError, OSError, BadKeySet) as problem:
            log.warning("key set not fetched", extra={"url": self._url, "problem": type(problem).__name__})
        finally:
            self._fetch = None


async def _fetched(url: str) -> bytes:
    timeout = aiohttp.ClientTimeout(total=KEY_SET_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, auto_decompress=True) as session,
        session.get(url, allow_redirects=False, headers={"Accept": "application/json"}) as answer,
    ):
        if answer.status != 200:
            raise BadKeySet(f"answered {answer.status}")
        data = bytearray()
        async for piece in answer.content.iter_chunked(65_536):
            data += piece
            if len(data) > KEY_SET_BYTES:
                raise BadKeySet(f"is larger than {KEY_SET_BYTES} bytes")
        return bytes(data)
