"""Which addresses no request goes to, in every spelling that a C library reads."""

from __future__ import annotations

import socket

import pytest

from workers.calls.addresses import forbidden, literal

METADATA = [
    "169.254.169.254", "169.254.0.1", "169.254.170.2", "169.254.170.23", "2852039166", "0xA9FEA9FE",
    "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "025177524776", "169.254.43518", "169.16689662",
    "169.254.169.254.", "::ffff:169.254.169.254", "[::ffff:a9fe:a9fe]", "::a9fe:a9fe",
    "64:ff9b::169.254.169.254", "64:ff9b:1::169.254.169.254", "64:ff9b:1:a9fe:a9:fe00:808:808",
    "64:ff9b:1::8.8.8.8",
    "2002:a9fe:a9fe::1", "fe80::1", "[fe80::1%25eth0]", "febf::1", "fd00:ec2::254", "[fd00:ec2::23]",
    "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "0", "0.0.0.0", "::", "::ffff:0:0",
]  # fmt: skip
OPEN = [
    "127.0.0.1", "127.1", "2130706433", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "8.8.8.8",
    "169.253.1.1", "169.255.1.1", "fd00::1", "fec0::1", "2606:4700::1111", "::ffff:10.0.0.1",
]  # fmt: skip
NAMES = [
    "api.example.com",
    "localhost",
    "a.1.2.3",
    "256.256.256.256",
    "1.2.3.4.5",
    "1e3",
    "",
    "..",
    "09.1",
]


@pytest.mark.parametrize("spelled", METADATA)
def test_link_local_and_metadata_addresses_are_forbidden(spelled: str) -> None:
    """Decimal, octal, hexadecimal, shortened, mapped into IPv6 or carried by it."""
    address = literal(spelled)
    assert address is not None
    assert forbidden(address)


@pytest.mark.parametrize("spelled", OPEN)
def test_loopback_private_and_public_addresses_are_not(spelled: str) -> None:
    """An own service may stand anywhere else."""
    address = literal(spelled)
    assert address is not None
    assert forbidden(address) is None


@pytest.mark.parametrize("name", NAMES)
def test_names_are_no_addresses(name: str) -> None:
    """What they lead to is looked at when a connection is opened."""
    assert literal(name) is None


@pytest.mark.parametrize("spelled", [one for one in (*METADATA, *OPEN) if ":" not in one])
def test_the_c_library_reads_the_same(spelled: str) -> None:
    """`inet_aton` of this machine."""
    assert literal(spelled) == socket.inet_ntoa(socket.inet_aton(spelled.rstrip(".")))


def test_a_scope_is_no_part_of_an_address() -> None:
    """As the resolver gives it."""
    assert forbidden("fe80::1%eth0")
