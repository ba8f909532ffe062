"""What Amazon MSK does with a token of AWS_MSK_IAM, from the documentation of Signature Version 4."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
LIFETIME_SECONDS = 900


def refusal(token: str, secrets: Mapping[str, str], region: str, now: float) -> str:
    """Why this token is refused at `now` (seconds of the epoch); empty when it is good.

    `secrets` are those of the access keys that may connect.
    """
    try:
        url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
        asked = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=True))
        signed_at = datetime.strptime(asked["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        key_id, day, signed_region, service, end = asked["X-Amz-Credential"].split("/")
    except (ValueError, KeyError) as problem:
        return f"no signed URL in it: {type(problem).__name__}"
    if (url.scheme, url.netloc, url.path) != ("https", f"kafka.{region}.amazonaws.com", "/"):
        return f"made for {url.netloc}"
    if asked["Action"] != "kafka-cluster:Connect":
        return f"action {asked['Action']}"
    if not asked.get("User-Agent", "").startswith("aws-msk-iam-sasl-signer-python/"):
        return "no User-Agent"
    if (signed_region, service, end, asked["X-Amz-Algorithm"]) != (
        region, "kafka-cluster", "aws4_request", ALGORITHM,
    ):  # fmt: skip
        return f"signed for {asked['X-Amz-Credential']}"
    if asked["X-Amz-Expires"] != str(LIFETIME_SECONDS) or asked["X-Amz-SignedHeaders"] != "host":
        return "not the signer's form"
    age = now - signed_at.timestamp()
    if not -300 < age < LIFETIME_SECONDS:
        return f"signed {age:.0f} s ago"
    if key_id not in secrets:
        return f"unknown key {key_id}"
    scope = f"{day}/{region}/kafka-cluster/aws4_request"
    wanted = _signature(asked, url.netloc, scope, secrets[key_id])
    return "" if hmac.compare_digest(wanted, asked["X-Amz-Signature"]) else "the signature is wrong"


def _signature(asked: Mapping[str, str], host: str, scope: str, secret: str) -> str:
    """The User-Agent is added after signing, as the signer does it."""
    signed = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in asked.items()
        if name not in ("X-Amz-Signature", "User-Agent")
    )
    query = "&".join(f"{name}={value}" for name, value in signed)
    empty = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{query}\nhost:{host}\n\nhost\n{empty}"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"{ALGORITHM}\n{asked['X-Amz-Date']}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
