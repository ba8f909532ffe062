"""Which certificate authorities an HTTPS client trusts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from botocore.httpsession import get_cert_path

VARIABLES: Final = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


def ca_bundle(env: Mapping[str, str]) -> str:
    """The path of a PEM file: what the first set variable names, else the bundle that boto3 uses
    (certifi's).
    """
    for name in VARIABLES:
        if path := env.get(name, "").strip():
            return path
    bundled: str = get_cert_path(True)
    return bundled
