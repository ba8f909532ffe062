"""Where `context.http` may go: the allow list, and the addresses that no name may lead to."""

from __future__ import annotations

import pytest

from workers.functions.http_calls import is_allowed, refused_address


@pytest.mark.parametrize(
    ("host", "port", "allow", "expected"),
    [
        ("api.example.com", 443, ("api.example.com",), True),
        ("API.Example.com.", 443, ("api.example.com",), True),
        ("evil.com", 443, ("api.example.com",), False),
        ("api.example.com.evil.com", 443, ("api.example.com", "*.example.com"), False),
        ("a.b.example.com", 443, ("*.example.com",), True),
        ("example.com", 443, ("*.example.com",), False),
        ("10.0.0.5", 8080, ("10.0.0.5:8080",), True),
        ("10.0.0.5", 22, ("10.0.0.5:8080",), False),
        ("anything", 1, ("*",), True),
        ("::1", 80, ("::1",), True),
        ("api.example.com", 443, (), False),
    ],
)
def test_the_allow_list_names_hosts(host: str, port: int, allow: tuple[str, ...], expected: bool) -> None:
    """Exact names, patterns and ports; an empty list allows nothing."""
    assert is_allowed(host, port, allow) is expected


@pytest.mark.parametrize(
    ("address", "by_pattern", "by_name"),
    [
        ("93.184.216.34", True, True),
        ("127.0.0.1", False, True),
        ("10.0.0.5", False, True),
        ("::1", False, True),
        ("fd12::1", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("::ffff:10.0.0.5", False, True),
        ("fe80::1", False, False),
        ("fd00:ec2::254", False, False),
        ("100.100.100.200", False, False),
        ("0.0.0.0", False, False),
        ("224.0.0.1", False, False),
        ("168.63.129.16", False, False),
        ("192.0.0.192", False, False),
        ("fd20:ce::254", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:a9fe:a9fe::1", False, False),
        ("64:ff9b::a00:5", False, True),
        ("::ffff:93.184.216.34", True, True),
        ("fe80::1%eth0", False, False),
    ],
)
def test_some_addresses_are_out_of_reach(address: str, by_pattern: bool, by_name: bool) -> None:
    """Inner addresses need a host that the list names; metadata addresses are refused whatever it says,
    and whatever address carries them."""
    reached = [refused_address(address, named=named) is None for named in (False, True)]
    assert reached == [by_pattern, by_name]
