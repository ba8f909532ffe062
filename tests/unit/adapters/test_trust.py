"""Which bundle of authorities is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.adapters.trust import ca_bundle


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"AWS_CA_BUNDLE": "/a", "REQUESTS_CA_BUNDLE": "/b", "SSL_CERT_FILE": "/c"}, "/a"),
        ({"AWS_CA_BUNDLE": " ", "REQUESTS_CA_BUNDLE": "/b", "SSL_CERT_FILE": "/c"}, "/b"),
        ({"SSL_CERT_FILE": "/c"}, "/c"),
    ],
)
def test_the_first_variable_that_is_set_wins(env: dict[str, str], expected: str) -> None:
    """boto3's variable first, then what other tools read."""
    assert ca_bundle(env) == expected


def test_without_variables_a_bundle_comes_along() -> None:
    """The file exists and holds certificates."""
    assert "BEGIN CERTIFICATE" in Path(ca_bundle({})).read_text()
