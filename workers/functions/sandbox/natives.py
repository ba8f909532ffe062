"""What JavaScript functions have beside the language that needs more than the language: `utils.crypto` and
`utils.jwt`.

Loaded at the first use: a function that uses none of it starts without. Keys come from the function; nothing
of the host is known here. AES, RSA and ECDSA are the `cryptography` package's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

_HASHES: Final = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "md5": hashlib.md5}
_HMACS: Final = ("sha1", "sha256", "sha512")
_AES_KEY_BYTES: Final = (16, 24, 32)
# 12 bytes of nonce, the text, 16 bytes of tag: so the example of App Services' documentation is laid out.
_NONCE_BYTES: Final = 12
_JWT_HASHES: Final = {"256": "SHA256", "384": "SHA384", "512": "SHA512"}
# The bytes of each half of an ECDSA signature, RFC 7518 3.4.
_ECDSA_HALF_BYTES: Final = {"ES256": 32, "ES384": 48, "ES512": 66}
_JWT_METHODS: Final = tuple(f"{kind}{size}" for kind in ("HS", "RS", "PS", "ES") for size in _JWT_HASHES)


class Refused(Exception):
    """The function asked for something that cannot be done; it gets this text as an Error."""


def answer(name: str, args: str) -> str:
    """Run one native function. `args` is a JSON array, the answer JSON: {"value"} or {"error"}."""
    try:
        return json.dumps({"value": _TABLE[name](*json.loads(args))})
    except Refused as problem:
        return json.dumps({"error": str(problem)})
    except Exception as problem:  # the engine has no way to pass a Python error on; its text may quote a key
        return json.dumps({"error": f"utils.{name}: wrong arguments ({type(problem).__name__})"})


def _library(*names: str) -> list[Any]:
    """Modules of `cryptography`. The package is large: 20 ms that most functions never need."""
    return [importlib.import_module(f"cryptography.{name}") for name in names]


def _binary(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


# --- utils.crypto


def _hash(name: str, data: str) -> str:
    make = _HASHES.get(name)
    if make is None:
        raise Refused(f"utils.crypto.hash: {name!r} is none of {', '.join(_HASHES)}")
    return _binary(make(base64.b64decode(data)).digest())


def _hmac(text: str, secret: str, name: str, form: str) -> str:
    if name not in _HMACS:
        raise Refused(f"utils.crypto.hmac: {name!r} is none of {', '.join(_HMACS)}")
    if form not in ("hex", "base64"):
        raise Refused(f"utils.crypto.hmac: the output format {form!r} is neither hex nor base64")
    digest = hmac.new(secret.encode(), text.encode(), name).digest()
    return digest.hex() if form == "hex" else _binary(digest)


def _aes(kind: str, key: str, where: str) -> Any:
    if kind != "aes":
        raise Refused(f"{where}: the encryption type {kind!r} is not aes")
    if len(key.encode()) not in _AES_KEY_BYTES:
        raise Refused(f"{where}: an AES key has 16, 24 or 32 bytes, this one has {len(key.encode())}")
    (aead,) = _library("hazmat.primitives.ciphers.aead")
    return aead.AESGCM(key.encode())


def _encrypt(kind: str, message: str, key: str) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    return _binary(nonce + _aes(kind, key, "utils.crypto.encrypt").encrypt(nonce, message.encode(), None))


def _decrypt(kind: str, data: str, key: str) -> str:
    cipher = _aes(kind, key, "utils.crypto.decrypt")
    sealed = base64.b64decode(data)
    (exceptions,) = _library("exceptions")
    try:
        return _binary(cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None))
    except (exceptions.InvalidTag, ValueError) as problem:
        text = "utils.crypto.decrypt: the message was not encrypted with this key, or was changed"
        raise Refused(text) from problem


def _sign(kind: str, message: str, key: str, scheme: str) -> str:
    private = _key(key, "private", "utils.crypto.sign", kind)
    return _binary(private.sign(message.encode(), _rsa_padding(scheme, "MAX_LENGTH"), _digest("SHA256")))


def _verify(kind: str, message: str, key: str, signature: str, scheme: str) -> bool:
    public = _key(key, "public", "utils.crypto.verify", kind)
    return _holds(
        lambda: public.verify(
            base64.b64decode(signature), message.encode(), _rsa_padding(scheme, "AUTO"), _digest("SHA256")
        )
    )


def _holds(check: Callable[[], object]) -> bool:
    (exceptions,) = _library("exceptions")
    try:
        check()
    except exceptions.InvalidSignature:
        return False
    return True


def _key(text: str, which: str, where: str, kind: str = "rsa") -> Any:
    if kind != "rsa":
        raise Refused(f"{where}: the encryption type {kind!r} is not rsa")
    (serialization,) = _library("hazmat.primitives.serialization")
    try:
        if which == "private":
            return serialization.load_pem_private_key(text.encode(), None)
        return serialization.load_pem_public_key(text.encode())
    except (ValueError, TypeError) as problem:  # what the library says may quote the key
        raise Refused(
            f"{where}: the {which} key is no PEM text of a {which} key without password"
        ) from problem


def _digest(name: str) -> Any:
    (hashes,) = _library("hazmat.primitives.hashes")
    return getattr(hashes, name)()


def _rsa_padding(scheme: str, salt: str, digest: str = "SHA256") -> Any:
    """`salt`: its length, one of the library's names."""
    (padding,) = _library("hazmat.primitives.asymmetric.padding")
    if scheme == "pkcs1v15":
        return padding.PKCS1v15()
    if scheme == "pss":
        return padding.PSS(padding.MGF1(_digest(digest)), getattr(padding.PSS, salt))
    raise Refused(f"utils.crypto: the signature scheme {scheme!r} is neither pss nor pkcs1v15")


# --- utils.jwt


def _jwt_encode(method: str, payload: str, secret: str, header: Mapping[str, Any] | None) -> str:
    """`payload` is JSON text, so that the claims keep the order and form they have in JavaScript."""
    if method not in _JWT_METHODS:
        raise Refused(f"utils.jwt.encode: {method!r} is none of {', '.join(_JWT_METHODS)}")
    head = json.dumps(
        {"alg": method, "typ": "JWT", **(header or {}), **{"alg": method}}, separators=(",", ":")
    )
    signed = f"{_url64(head.encode())}.{_url64(payload.encode())}"
    return f"{signed}.{_url64(_jwt_signature(method, signed.encode(), secret))}"


def _jwt_signature(method: str, data: bytes, secret: str) -> bytes:
    kind, digest = method[:2], _JWT_HASHES[method[2:]]
    if kind == "HS":
        return hmac.new(secret.encode(), data, digest.lower()).digest()
    private = _key(secret, "private", "utils.jwt.encode")
    if kind != "ES":
        scheme = "pss" if kind == "PS" else "pkcs1v15"
        return bytes(private.sign(data, _rsa_padding(scheme, "DIGEST_LENGTH", digest), _digest(digest)))
    ec, asymmetric = _library("hazmat.primitives.asymmetric.ec", "hazmat.primitives.asymmetric.utils")
    r, s = asymmetric.decode_dss_signature(private.sign(data, ec.ECDSA(_digest(digest))))
    size = _ECDSA_HALF_BYTES[method]
    return bytes(r.to_bytes(size, "big") + s.to_bytes(size, "big"))


def _jwt_decode(token: str, key: str, accepted: list[str] | None) -> dict[str, Any]:
    """{"header", "payload"}. The signature, `exp` and `nbf` are checked; `iat` is not: the example of App
    Services' documentation has one of the year 51,585."""
    where = "utils.jwt.decode"
    try:
        head, body, signature = token.split(".")
        header, payload = json.loads(_from_url64(head)), json.loads(_from_url64(body))
        method = header["alg"]
    except (ValueError, KeyError, TypeError) as problem:
        raise Refused(f"{where}: the text is no JSON Web Token") from problem
    if method not in _JWT_METHODS or (accepted and method not in accepted):
        raise Refused(f"{where}: the signing method {method!r} is not accepted")
    if method[:2] == "HS" and "-----BEGIN" in key:
        raise Refused(f"{where}: a token signed with {method} is not checked with a public key")
    signed = f"{head}.{body}".encode("ascii")
    if not _jwt_holds(method, signed, _from_url64(signature), key):
        raise Refused(f"{where}: the signature is not that of this key")
    now = time.time()
    for claim, wrong in (("exp", "has expired"), ("nbf", "is not valid yet")):
        at = payload.get(claim) if isinstance(payload, dict) else None
        if isinstance(at, int | float) and (at <= now if claim == "exp" else at > now):
            raise Refused(f"{where}: the token {wrong}")
    return {"header": header, "payload": payload}


def _jwt_holds(method: str, data: bytes, signature: bytes, key: str) -> bool:
    kind, digest = method[:2], _JWT_HASHES[method[2:]]
    if kind == "HS":
        return hmac.compare_digest(hmac.new(key.encode(), data, digest.lower()).digest(), signature)
    public = _key(key, "public", "utils.jwt.decode")
    if kind != "ES":
        padding = _rsa_padding("pss" if kind == "PS" else "pkcs1v15", "DIGEST_LENGTH", digest)
        return _holds(lambda: public.verify(signature, data, padding, _digest(digest)))
    size = _ECDSA_HALF_BYTES[method]
    if len(signature) != 2 * size:
        return False
    ec, asymmetric = _library("hazmat.primitives.asymmetric.ec", "hazmat.primitives.asymmetric.utils")
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    der = asymmetric.encode_dss_signature(r, s)
    return _holds(lambda: public.verify(der, data, ec.ECDSA(_digest(digest))))


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _from_url64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


_TABLE: Final[Mapping[str, Callable[..., Any]]] = {
    "crypto.hash": _hash,
    "crypto.hmac": _hmac,
    "crypto.encrypt": _encrypt,
    "crypto.decrypt": _decrypt,
    "crypto.sign": _sign,
    "crypto.verify": _verify,
    "jwt.encode": _jwt_encode,
    "jwt.decode": _jwt_decode,
}
