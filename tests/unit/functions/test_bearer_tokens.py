"""Bearer tokens: who is let in, whom they stand for, and what is refused."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import jwt
import pytest

from tests.fakes.callers import AUDIENCE, ISSUER, TokenIssuer, key_set, rsa_issuer
from workers.functions.answers import ApiError
from workers.functions.authentication.accounts import Issuer, TokenKey
from workers.functions.authentication.key_sets import BadKeySet, parse_key_set
from workers.functions.authentication.tokens import Tokens

FIRST = TokenIssuer()
NOW = int(time.time())
SECRET = b"a shared secret of thirty-two bytes!"


def believing(*issuers: TokenIssuer, **fields: Any) -> Tokens:
    """Tokens of one issuer with these keys."""
    fields = {"audiences": (AUDIENCE, "other"), "algorithms": ("ES256", "RS256"), **fields}
    keys = parse_key_set(key_set(*issuers)) if issuers else fields.pop("keys")
    return Tokens({ISSUER: Issuer(ISSUER, keys=keys, **fields)})


def part(found: dict[str, Any]) -> str:
    """A part of a token, made by hand."""
    return encoded(json.dumps(found).encode())


def encoded(data: bytes) -> str:
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


async def refusal(tokens: Tokens, token: str) -> str:
    """The code of the 403."""
    with pytest.raises(ApiError) as caught:
        await tokens.user(token)
    assert caught.value.status == 403
    assert not token or token not in str(caught.value.body())
    return caught.value.code


async def test_the_subject_is_the_user_and_claims_are_their_data() -> None:
    """Every claim but the registered ones, as App Services' `data`."""
    user = await believing(FIRST).user(FIRST.token("ann", team="red", roles=["a"], jti="1", iat=NOW))
    assert (user.id, user.type, user.data) == ("ann", "normal", {"team": "red", "roles": ["a"]})
    assert user.identities == ({"id": "ann", "provider_type": "custom-token", "issuer": ISSUER},)


async def test_claims_are_named_as_the_app_wants_them() -> None:
    """By their whole name first, then by a path; what is not there is left out."""
    tokens = believing(
        FIRST, user_claim="who.id", data={"role": "https://x.example/role", "org": "org.name", "a": "b"}
    )
    named: dict[str, Any] = {
        "who": {"id": "bob"},
        "https://x.example/role": "admin",
        "org": {"name": "o"},
    }
    token = FIRST.token("s", **named)
    user = await tokens.user(token)
    assert (user.id, user.data) == ("bob", {"role": "admin", "org": "o"})


async def test_a_key_is_found_by_its_id_and_algorithm() -> None:
    """Two keys of an issuer, RSA and EC."""
    second = rsa_issuer()
    tokens = believing(FIRST, second)
    assert (await tokens.user(FIRST.token("a"))).id == "a"
    assert (await tokens.user(second.token("b"))).id == "b"
    assert await refusal(tokens, FIRST.token(header={"kid": "rsa"})) == "UnrecognizedClientException"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"exp": NOW - 86_400}, "ExpiredTokenException"),
        ({"exp": None}, "UnrecognizedClientException"),
        ({"exp": "soon"}, "UnrecognizedClientException"),
        ({"nbf": NOW + 86_400}, "UnrecognizedClientException"),
        ({"aud": "somebody"}, "UnrecognizedClientException"),
        ({"aud": None}, "UnrecognizedClientException"),
        ({"iss": "https://evil.example.com/"}, "UnrecognizedClientException"),
        ({"iss": None}, "UnrecognizedClientException"),
        ({"sub": None}, "UnrecognizedClientException"),
        ({"sub": ""}, "UnrecognizedClientException"),
        ({"sub": "x" * 257}, "UnrecognizedClientException"),
    ],
)
async def test_claims_that_do_not_hold_are_refused(claims: dict[str, Any], code: str) -> None:
    """Time, audience, issuer, subject."""
    rest = {name: value for name, value in claims.items() if name != "sub"}
    token = FIRST.token(claims.get("sub", "ann"), **rest)
    assert await refusal(believing(FIRST, leeway_seconds=30), token) == code


async def test_a_leeway_forgives_clocks() -> None:
    """Within it an expired token, and one that begins later."""
    tokens, now = believing(FIRST, leeway_seconds=300), int(time.time())
    assert (await tokens.user(FIRST.token(exp=now - 200))).id == "ann"
    assert (await tokens.user(FIRST.token(nbf=now + 200))).id == "ann"


async def test_forged_tokens_are_refused() -> None:
    """Another key, a changed claim, no algorithm, the public key as a secret, an algorithm not listed."""
    tokens = believing(FIRST)
    other = TokenIssuer()
    head, _, signature = FIRST.token().split(".")
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "root", "exp": NOW + 86_400}
    text = f"{part({'alg': 'HS256', 'kid': 'first'})}.{part(claims)}"
    by_public_key = hmac.digest(json.dumps(FIRST.public()).encode(), text.encode(), "sha256")
    forged = [
        other.token(),
        f"{head}.{part(claims)}.{signature}",
        f"{part({'alg': 'none', 'kid': 'first'})}.{part(claims)}.",
        f"{text}.{encoded(by_public_key)}",
        "no.token.atall",
        "",
        "a" * 5_000,
    ]
    assert {await refusal(tokens, one) for one in forged} == {"UnrecognizedClientException"}
    assert (
        await refusal(believing(FIRST, algorithms=("RS256",)), FIRST.token()) == "UnrecognizedClientException"
    )


async def test_a_token_without_a_key_id_needs_a_set_of_one() -> None:
    """With two keys nobody could say which is meant."""
    nameless = FIRST.token(header={"kid": None})
    assert (await believing(FIRST).user(nameless)).id == "ann"
    assert await refusal(believing(FIRST, rsa_issuer()), nameless) == "UnrecognizedClientException"


async def test_a_shared_secret_checks_hs256() -> None:
    """Whatever key id the token names."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "exp": NOW + 86_400}
    tokens = believing(keys=(TokenKey(SECRET),), algorithms=("HS256",))
    assert (await tokens.user(jwt.encode(claims, SECRET, "HS256", {"kid": "any"}))).id == "ann"
    wrong = jwt.encode(claims, SECRET[::-1], "HS256")
    assert await refusal(tokens, wrong) == "UnrecognizedClientException"


def test_a_set_keeps_the_keys_that_can_check() -> None:
    """Shared secrets, keys for encryption, unknown kinds and short RSA keys are left out."""
    good = FIRST.public()
    others = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "o"},
        {**good, "use": "enc", "kid": "e"},
        {"kty": "new", "kid": "n"},
        {**good, "alg": "none", "kid": "a"},
        rsa_issuer(1_024).public(),
        "text",
    ]
    keys = parse_key_set(json.dumps({"keys": [*others, good]}))
    assert [key.kid for key in keys] == ["first"]
    for text in ("{", "[]", '{"keys": 1}', json.dumps({"keys": others}), json.dumps({"keys": [good] * 101})):
        with pytest.raises(BadKeySet):
            parse_key_set(text)


@pytest.mark.parametrize("token", ["\udcff.a.b", "é.é.é", f"{encoded(b'[' * 5000)}.a.b"])
async def test_no_text_breaks_the_check_of_a_token(token: str) -> None:
    """Bytes that are no text, and JSON nested so deep that reading it fails."""
    assert await refusal(believing(FIRST), token) == "UnrecognizedClientException"
    head, _, signature = FIRST.token().split(".")
    nested = f"{head}.{encoded(b'[' * 5000)}.{signature}"
    assert await refusal(believing(FIRST), nested) == "UnrecognizedClientException"
