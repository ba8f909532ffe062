"""Which addresses no request may go to, however they are spelled. Pure.

Link-local ones, where clouds and container platforms hand out credentials to whoever asks, and the metadata
services outside of them. Loopback and private addresses are what an own service has: those are allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_NETWORKS: Final[tuple[tuple[IPv4Network | IPv6Network, str], ...]] = (
    (IPv4Network("169.254.0.0/16"), "link-local"),
    (IPv6Network("fe80::/10"), "link-local"),
    (IPv6Network("fd00:ec2::/32"), "of AWS's metadata services"),
    (IPv6Network("fd20:ce::254/128"), "Google Cloud's metadata service"),
    (IPv4Network("100.100.100.200/32"), "Alibaba Cloud's metadata service"),
    (IPv4Network("168.63.129.16/32"), "Azure's platform service"),
    (IPv4Network("192.0.0.192/32"), "Oracle Cloud's metadata service"),
    (IPv4Network("0.0.0.0/8"), "no host's address"),
    (IPv6Network("::/128"), "no host's address"),
    # RFC 8215: each network chooses where in it the IPv4 address stands, so it cannot be read out.
    (IPv6Network("64:ff9b:1::/48"), "of a local translation to IPv4"),
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_LOOPBACK: Final = IPv6Address("::1")


def forbidden(address: str) -> str | None:
    """Why nothing may be sent to an address (a text that `inet_ntop` makes, a scope id allowed), or None."""
    for one in meant(ip_address(address.partition("%")[0])):
        for network, what in _NETWORKS:
            if one.version == network.version and one in network:
                return what
    return None


def literal(host: str) -> str | None:
    """The address that a URL's host spells, as C libraries read it: dotted, with parts left out, decimal,
    octal or hexadecimal; None for a name."""
    host = host.removeprefix("[").removesuffix("]").partition("%")[0].rstrip(".")
    try:
        return str(ip_address(host))
    except ValueError:
        return _loose(host)


def _loose(host: str) -> str | None:
    numbers: list[int] = []
    for part in host.split("."):
        found = _number(part)
        if found is None:
            return None
        numbers.append(found)
    if len(numbers) > 4 or any(number > 255 for number in numbers[:-1]):
        return None
    whole = numbers[-1]
    if whole >= 256 ** (5 - len(numbers)):
        return None
    for place, number in enumerate(numbers[:-1]):
        whole += number << (24 - 8 * place)
    return str(IPv4Address(whole))


def _number(text: str) -> int | None:
    if not text.isascii() or not text.isalnum():
        return None
    lower = text.lower()
    base = 16 if lower.startswith("0x") else 8 if lower.startswith("0") and len(lower) > 1 else 10
    try:
        return int(lower.removeprefix("0x") or "0", base) if base == 16 else int(lower, base)
    except ValueError:
        return None


def meant(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """The address, and the IPv4 ones that it carries: mapped, compatible, NAT64, 6to4, Teredo."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (address in _COMPATIBLE and address != _LOOPBACK) or address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
