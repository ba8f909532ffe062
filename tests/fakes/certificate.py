"""A self-signed certificate for 127.0.0.1, made in Python: tests carry no key and need no openssl command."""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
from pathlib import Path
from typing import Final

KEY_BITS: Final = 2_048
_EXPONENT: Final = 65_537
_SHA256_RSA: Final = bytes.fromhex("300d06092a864886f70d01010b0500")
_RSA: Final = bytes.fromhex("300d06092a864886f70d0101010500")
_SHA256_DIGEST: Final = bytes.fromhex("3031300d060960864801650304020105000420")


def server_context(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A TLS context for a server on 127.0.0.1, and the PEM file that a client has to trust. Takes 0.5 s."""
    key, certificate = _make()
    key_file, certificate_file = folder / "key.pem", folder / "certificate.pem"
    key_file.write_text(_pem("RSA PRIVATE KEY", key))
    certificate_file.write_text(_pem("CERTIFICATE", certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return context, certificate_file


def _make() -> tuple[bytes, bytes]:
    p, q = _prime(KEY_BITS // 2), _prime(KEY_BITS // 2)
    modulus, private = p * q, pow(_EXPONENT, -1, (p - 1) * (q - 1))
    parts = (0, modulus, _EXPONENT, private, p, q, private % (p - 1), private % (q - 1), pow(q, -1, p))
    key = _sequence(*(_integer(part) for part in parts))
    name = _sequence(_der(0x31, _sequence(b"\x06\x03\x55\x04\x03", _der(0x0C, b"penstock test"))))
    valid = _sequence(_der(0x17, b"200101000000Z"), _der(0x17, b"491231235959Z"))
    public = _der(0x03, b"\0" + _sequence(_integer(modulus), _integer(_EXPONENT)))
    # Extensions: subjectAltName with the address 127.0.0.1, basicConstraints CA (it signs itself).
    address = _sequence(b"\x06\x03\x55\x1d\x11", _der(0x04, _sequence(_der(0x87, b"\x7f\0\0\x01"))))
    authority = _sequence(b"\x06\x03\x55\x1d\x13", b"\x01\x01\xff", _der(0x04, _sequence(b"\x01\x01\xff")))
    body = _sequence(
        b"\xa0\x03\x02\x01\x02", _integer(secrets.randbits(64) | 1), _SHA256_RSA, name, valid, name,
        _sequence(_RSA, public), _der(0xA3, _sequence(address, authority)),
    )  # fmt: skip
    size = modulus.bit_length() // 8
    digest = _SHA256_DIGEST + hashlib.sha256(body).digest()
    padded = b"\0\x01" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    signature = pow(int.from_bytes(padded, "big"), private, modulus).to_bytes(size, "big")
    return key, _sequence(body, _SHA256_RSA, _der(0x03, b"\0" + signature))


def _prime(bits: int) -> int:
    """A random prime, its two highest bits set so that a product of two has all its bits."""
    while True:
        candidate = secrets.randbits(bits) | (3 << (bits - 2)) | 1
        small = all(candidate % divisor for divisor in range(3, 2_000, 2))
        if small and candidate % _EXPONENT != 1 and all(_witness(candidate) for _ in range(20)):
            return candidate


def _witness(candidate: int) -> bool:
    """One round of Miller-Rabin."""
    odd, twos = candidate - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    power = pow(secrets.randbelow(candidate - 3) + 2, odd, candidate)
    if power in (1, candidate - 1):
        return True
    return any((power := power * power % candidate) == candidate - 1 for _ in range(twos - 1))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _pem(label: str, content: bytes) -> str:
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"
