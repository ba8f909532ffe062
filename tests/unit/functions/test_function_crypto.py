"""`utils.crypto` and `utils.jwt` with real keys: what is signed is verified, what is changed is refused."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from workers.functions.sandbox import natives

AES_KEY = "603082712271C525E087BD999A4E0738"
# Key, text and result of the example of App Services' documentation.
SEALED = "WPBuIvJ6Bity43Uh822dW8QlVYVJaFUiDeUjlTiJXzptUuTYIKPlXekBQAJb"
METHODS = [f"{kind}{size}" for kind in ("HS", "RS", "PS", "ES") for size in (256, 384, 512)]
CURVES = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "512": ec.SECP521R1()}
PEM = serialization.Encoding.PEM


def _ask(name: str, *args: Any) -> Any:
    """The value, or the text of the error."""
    found = json.loads(natives.answer(name, json.dumps(args)))
    return found.get("error", found.get("value"))


@cache
def _rsa() -> tuple[str, str]:
    """A private and its public key in the PKCS#1 form that App Services asks for."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return private.decode(), key.public_key().public_bytes(PEM, serialization.PublicFormat.PKCS1).decode()


def _keys(method: str) -> tuple[str, str]:
    if method[:2] == "HS":
        return "secret", "secret"
    if method[:2] != "ES":
        return _rsa()
    key = ec.generate_private_key(CURVES[method[2:]])
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def test_aes_reads_what_app_services_wrote_and_what_it_wrote_itself() -> None:
    """The documentation's message opens; a round trip gives the text back, and no two seals are alike."""
    assert _ask("crypto.decrypt", "aes", SEALED, AES_KEY) == "TW9uZ29EQiBpcyBncmVhdCE="  # MongoDB is great!
    sealed = [_ask("crypto.encrypt", "aes", "hé", AES_KEY) for _ in range(2)]
    assert sealed[0] != sealed[1]
    assert _ask("crypto.decrypt", "aes", sealed[0], AES_KEY) == "aMOp"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (
            ("crypto.decrypt", "aes", SEALED, AES_KEY[:-1] + "9"),
            "was not encrypted with this key, or was changed",
        ),
        (("crypto.decrypt", "aes", "AAAA", AES_KEY), "was not encrypted with this key, or was changed"),
        (("crypto.encrypt", "aes", "x", "short"), "an AES key has 16, 24 or 32 bytes, this one has 5"),
        (("crypto.encrypt", "des", "x", AES_KEY), "'des' is not aes"),
        (("crypto.sign", "rsa", "x", "no key", "pss"), "the private key is no PEM text of a private key"),
        (("crypto.sign", "dsa", "x", "no key", "pss"), "'dsa' is not rsa"),
        (("jwt.encode", "none", "{}", "k", None), "'none' is none of HS256"),
        (("crypto.hmac", "x", "k", "md5", "hex"), "'md5' is none of sha1, sha256, sha512"),
    ],
)
def test_wrong_keys_and_names_are_told_without_the_key(args: tuple[Any, ...], text: str) -> None:
    """The error says what was expected and never quotes a key."""
    found = _ask(*args)
    assert text in found
    assert "no key" not in found


@pytest.mark.parametrize("scheme", ["pss", "pkcs1v15"])
def test_an_rsa_signature_holds_for_its_message_and_key_alone(scheme: str) -> None:
    """Both padding schemes; another message, another scheme."""
    private, public = _rsa()
    signature = _ask("crypto.sign", "rsa", "message", private, scheme)
    other = "pss" if scheme == "pkcs1v15" else "pkcs1v15"
    assert _ask("crypto.verify", "rsa", "message", public, signature, scheme) is True
    assert _ask("crypto.verify", "rsa", "massage", public, signature, scheme) is False
    assert _ask("crypto.verify", "rsa", "message", public, signature, other) is False


@pytest.mark.parametrize("method", METHODS)
def test_every_jwt_method_signs_and_verifies(method: str) -> None:
    """Own header fields stay, `alg` cannot be replaced, and a changed signature is refused."""
    private, public = _keys(method)
    token = _ask("jwt.encode", method, '{"a":1}', private, {"kid": "k1", "alg": "none"})
    assert _ask("jwt.decode", token, public, [method]) == {
        "header": {"alg": method, "typ": "JWT", "kid": "k1"},
        "payload": {"a": 1},
    }
    head, body, signature = token.split(".")
    changed = f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    assert "the signature is not that of this key" in _ask("jwt.decode", changed, public, [method])
