"""AWS Signature Version 4 of requests to the Lambda service, checked. Pure: `now` is an argument.

Signed must be the host, the date and every `x-amz-` header that is there: an unsigned one could have been put
in on the way. The hash of the body is computed, never taken from the request.
"""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote, unquote

from workers.functions.authentication import refusals
from workers.functions.authentication.accounts import AccessKey
from workers.functions.context import User

ALGORITHM: Final = "AWS4-HMAC-SHA256"
CLOCK_SECONDS: Final = 300  # AWS: 5 minutes
MAX_SIGNED_HEADERS: Final = 100
DERIVED_KEYS: Final = 64  # a key, day and region each; who has more derives them again

_SERVICE: Final = "lambda"
_STAMP: Final = re.compile(r"\d{8}T\d{6}Z")
_FORMAT: Final = "%Y%m%dT%H%M%SZ"
_TOKEN_HEADER: Final = "x-amz-security-token"  # noqa: S105 - a header's name


class Headers(Protocol):
    """The headers of a request, in any case, with every value of each."""

    def getall(self, name: str, default: list[str]) -> Sequence[str]:
        """Every value of one header."""
        ...


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a signature covers. `path` and `query` are as they were sent, percent-encoded; `names` are the
    headers' names in lower case."""

    method: str
    path: str
    query: str
    headers: Headers
    names: frozenset[str]
    body: bytes

    def one(self, name: str) -> str:
        """A header's only value; "" when there is none, or more than one."""
        values = self.headers.getall(name, [])
        return values[0] if len(values) == 1 else ""


@dataclass(frozen=True, slots=True)
class _Credential:
    """`<key id>/<day>/<region>/lambda/aws4_request`, the signed headers and the signature."""

    key_id: str
    day: str
    region: str
    signed: tuple[str, ...]
    signature: str

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/{_SERVICE}/aws4_request"


class Signatures:
    """Checks requests against access keys. Keeps derived keys, and nothing of any request."""

    def __init__(self, keys: Mapping[str, AccessKey]) -> None:
        self._keys = keys
        self._derived: dict[tuple[str, str, str], bytes] = {}

    def user(self, request: SignedRequest, now_seconds: float) -> User:
        """The user whose key signed the request. Raises ApiError 403."""
        credential = _credential(request.one("authorization"))
        stamp = _stamp(request, now_seconds)
        if credential.day != stamp[:8]:
            raise refusals.wrong_scope(f"the day of X-Amz-Date, {stamp[:8]}")
        key = self._keys.get(credential.key_id)
        if key is None or _TOKEN_HEADER in request.names:  # none of our keys comes with a session's token
            raise refusals.unknown()
        _check_signed(credential.signed, request)
        text = _text_to_sign(request, credential, stamp)
        right = hmac.digest(self._signing_key(credential, key), text.encode(), "sha256").hex()
        if not hmac.compare_digest(right.encode(), credential.signature.encode()):
            raise refusals.wrong_signature()
        return key.user

    def _signing_key(self, credential: _Credential, key: AccessKey) -> bytes:
        place = (credential.key_id, credential.day, credential.region)
        found = self._derived.get(place)
        if found is None:
            found = f"AWS4{key.secret}".encode()
            for part in (credential.day, credential.region, _SERVICE, "aws4_request"):
                found = hmac.digest(found, part.encode(), "sha256")
            if len(self._derived) >= DERIVED_KEYS:
                self._derived.clear()
            self._derived[place] = found
        return found


def _credential(header: str) -> _Credential:
    """The parts of `AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...`."""
    if not header.isascii():
        raise refusals.incomplete("Authorization header must be ASCII.")
    parts = dict(part.strip().partition("=")[::2] for part in header.removeprefix(ALGORITHM).split(","))
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not parts.get(name):
            raise refusals.incomplete(f"Authorization header requires '{name}' parameter.")
    credential = parts["Credential"].split("/")
    if len(credential) != 5 or not all(credential) or credential[4] != "aws4_request":
        raise refusals.incomplete("Credential must be <key id>/<day>/<region>/lambda/aws4_request.")
    key_id, day, region, service, _ = credential
    if service != _SERVICE:
        raise refusals.wrong_scope(f"correct service: '{_SERVICE}'")
    signed = tuple(parts["SignedHeaders"].split(";"))
    if len(signed) > MAX_SIGNED_HEADERS:
        raise refusals.incomplete(f"SignedHeaders names more than {MAX_SIGNED_HEADERS} headers.")
    return _Credential(key_id, day, region, signed, parts["Signature"])


def _stamp(request: SignedRequest, now_seconds: float) -> str:
    """`X-Amz-Date`, when it is within five minutes of now."""
    stamp = request.one("x-amz-date")
    if not _STAMP.fullmatch(stamp):
        raise refusals.incomplete("X-Amz-Date must be one time such as 20250101T000000Z.")
    try:
        seconds = calendar.timegm(time.strptime(stamp, _FORMAT))
    except ValueError:
        raise refusals.incomplete("X-Amz-Date must be one time such as 20250101T000000Z.") from None
    if abs(seconds - now_seconds) > CLOCK_SECONDS:
        is_past = seconds < now_seconds
        border = now_seconds - CLOCK_SECONDS if is_past else now_seconds + CLOCK_SECONDS
        raise refusals.wrong_time(stamp, time.strftime(_FORMAT, time.gmtime(border)), is_past=is_past)
    return stamp


def _check_signed(signed: Sequence[str], request: SignedRequest) -> None:
    needed = {name for name in request.names if name.startswith("x-amz-")} | {"host"}
    unsigned = sorted(needed.difference(signed))
    if unsigned:
        text = f"'{unsigned[0][:64]}' must be a 'SignedHeader' in the AWS Authorization."
        raise refusals.incomplete(text)


def _text_to_sign(request: SignedRequest, credential: _Credential, stamp: str) -> str:
    lines = [
        request.method,
        canonical_path(request.path),
        canonical_query(request.query),
        *(f"{name}:{_value(request, name)}" for name in credential.signed),
        "",
        ";".join(credential.signed),
        hashlib.sha256(request.body).hexdigest(),
    ]
    digest = hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{stamp}\n{credential.scope}\n{digest}"


def _value(request: SignedRequest, name: str) -> str:
    return ",".join(" ".join(value.split()) for value in request.headers.getall(name, []))


def canonical_path(path: str) -> str:
    """The path as it was sent, without dot segments and double slashes, encoded once more: every service but
    S3 wants it so."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    ends = "/" if kept and path.endswith("/") else ""
    return quote("/" + "/".join(kept) + ends, safe="/~", errors="surrogateescape")


def canonical_query(query: str) -> str:
    """The parameters sorted and encoded in the one way that signatures know."""
    if not query:
        return ""
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    return "&".join(sorted(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs))


def _encoded(text: str) -> str:
    return quote(unquote(text, errors="surrogateescape"), safe="-_.~", errors="surrogateescape")
