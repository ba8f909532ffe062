"""The port `Requester`: kept by the fake, and by the client of `$https` on a service of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.fakes.http_service import HttpService, Said, http_service
from tests.fakes.requester import FakeRequester, said
from workers.adapters.https import HttpsClient, HttpsEndpoint
from workers.adapters.trust import ca_bundle
from workers.errors import NotSent
from workers.ports import HttpRequest, Requester

POST = HttpRequest("POST", "/a?q=1", (("X-A", "1"),), b'{"n":1}', 5.0, 5.0)


class RequesterContract:
    """What the engine relies on."""

    async def test_an_answer_comes_back_whatever_its_status(self, requester: Requester) -> None:
        """Status, body and Content-Type."""
        for status in (200, 404, 503):
            answer = await requester.send(POST._replace(target=f"/{status}"))
            assert (answer.status, answer.body, answer.content_type) == (status, b"{}", "application/json")

    async def test_a_redirect_is_an_answer(self, requester: Requester) -> None:
        """Nothing follows it."""
        assert (await requester.send(POST._replace(target="/302"))).status == 302

    async def test_the_url_is_shown_without_its_path(self, requester: Requester) -> None:
        """So that a target can be put behind it; the path is a secret of the connection."""
        assert requester.shown_url.startswith("http")
        assert requester.shown_url.endswith("/…")

    async def test_a_closed_one_sends_nothing(self, requester: Requester) -> None:
        """Closing twice is closing once."""
        await requester.close()
        await requester.close()
        with pytest.raises(NotSent):
            await requester.send(POST)


class TestFakeRequester(RequesterContract):
    """In memory."""

    @pytest.fixture
    def requester(self) -> Requester:
        return FakeRequester(lambda request: said(int(request.target[1:])))


class TestHttpsClient(RequesterContract):
    """Over libcurl."""

    @pytest.fixture
    def service(self) -> Iterator[HttpService]:
        with http_service(lambda asked: Said(int(asked.target.rpartition("/")[2]))) as running:
            yield running

    @pytest.fixture
    async def requester(self, service: HttpService) -> AsyncIterator[Requester]:
        client = HttpsClient(HttpsEndpoint("api", f"{service.url}/hook-k3y/", (), ca_bundle({})))
        yield client
        await client.close()
