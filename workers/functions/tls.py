"""The certificate that the function host answers with, and its renewal without a restart."""

from __future__ import annotations

import ssl
from pathlib import Path

from workers.errors import Invalid, Problem


class Tls:
    """A server's TLS from two PEM files: the certificate with its chain, and its private key.

    Connections that are open keep what they began with; `renew` is for those that come."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Raises Invalid with which of the files is wrong, and how."""
        self.files = (cert, key)
        self.context = _context(cert, key)

    def renew(self) -> None:
        """Read the files again. Raises Invalid, and goes on with what it had, when they are wrong (a
        certificate that is replaced before its key, for one moment)."""
        cert, key = self.files
        _context(cert, key)
        _load(self.context, cert, key)  # replaced just now, perhaps: Invalid, and the next look finds it


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    for option, path in (("--tls-cert", cert), ("--tls-key", key)):
        try:
            path.read_bytes()
        except OSError as problem:
            raise Invalid([Problem("", option, f"{path} cannot be read: {problem.strerror}")]) from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, cert, key)
    return context


def _load(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    """Raises Invalid."""
    try:
        context.load_cert_chain(cert, key, _no_password)
    except _Encrypted:
        text = f"{key} is encrypted"
        raise Invalid([Problem("", "--tls-key", text, "a private key without a password")]) from None
    except ssl.SSLError as problem:
        if problem.reason == "KEY_VALUES_MISMATCH":
            text = f"{key} is not the key of the certificate in {cert}"
            raise Invalid([Problem("", "--tls-key", text, "the two files of one certificate")]) from None
        text = f"{cert} and {key} hold no certificate and key"
        raise Invalid([Problem("", "--tls-cert", text, "PEM files of a certificate and its key")]) from None


class _Encrypted(Exception):
    """OpenSSL asks for a password, where nobody is who could give it."""


def _no_password() -> str:
    raise _Encrypted
