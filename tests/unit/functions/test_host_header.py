"""Which names a function host without authentication answers to."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from workers.functions.answers import ApiError
from workers.functions.http_request import check_host


@dataclass(frozen=True)
class _Head:
    """A request with these `Host` headers."""

    headers: CIMultiDictProxy[str]
    method: str = "GET"
    raw_path: str = "/logs"
    remote: str | None = "127.0.0.1"


def _head(*hosts: str) -> _Head:
    return _Head(CIMultiDictProxy(CIMultiDict([("Host", host) for host in hosts])))


OWN = [
    "localhost", "LOCALHOST:9000", "localhost.", "127.0.0.1:9000", "127.0.0.2", "[::1]:9000", "[::1]",
    "host.docker.internal:9000", "functions.local:9000", "FUNCTIONS.local",
]  # fmt: skip
OTHERS = [
    "rebound.example", "rebound.example:9000", "localhost.example", "127.0.0.1.example", "10.0.0.1",
    "0.0.0.0", "localhost@rebound.example", "rebound.example#localhost", "[::1", "[::2]:9000", "",
]  # fmt: skip


@pytest.mark.parametrize("host", OWN)
def test_names_of_this_machine_are_answered(host: str) -> None:
    """Loopback names and addresses, a container's name for its machine, what was given as `--host`."""
    check_host(_head(host), "functions.local")


@pytest.mark.parametrize("host", OTHERS)
def test_any_other_name_is_refused(host: str) -> None:
    """403 with what would be right and what was found: a page's own name may be made to lead here."""
    with pytest.raises(ApiError) as caught:
        check_host(_head(host), "functions.local")
    assert (caught.value.status, caught.value.code) == (403, "AccessDeniedException")
    own = "localhost, host.docker.internal, 127.0.0.1, [::1], functions.local"
    assert caught.value.message.endswith(f"answers to {own}; the Host header says {host!r}.")


def test_every_host_header_counts_and_none_is_no_browser() -> None:
    """Two are one too many where one of them is another's; HTTP/1.0 has none."""
    check_host(_head(), "127.0.0.1")
    with pytest.raises(ApiError):
        check_host(_head("localhost", "rebound.example"), "127.0.0.1")
