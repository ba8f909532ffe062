"""The stub's own promises: its vocabulary, its counts, its life as a process."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.lambda_behaviour import Behaviour, Fate, behaviour_of, document_id, fate_of
from tests.fakes.lambda_client import invoker_for
from tests.fakes.lambda_stub import LambdaStub
from workers.ports import InvokeRequest

ROOT = Path(__file__).parents[3]


@given(seed=st.integers(0, 1000), identity=st.text(max_size=20), share=st.floats(0, 1))
def test_one_id_has_one_fate(seed: int, identity: str, share: float) -> None:
    """The same seed and id meet the same behaviour however often they are asked for."""
    failing = Behaviour(outcome="function_error")
    behaviour = Behaviour(id_field="id", seed=seed, fates=(Fate(share, failing),))
    assert fate_of(behaviour, identity) is fate_of(behaviour, identity)
    assert fate_of(behaviour, None) is behaviour


def test_fates_get_about_their_share() -> None:
    """Of 10,000 ids 30% and 20% meet the two fates, within 2 points."""
    first, second = Behaviour(outcome="hang"), Behaviour(outcome="empty")
    behaviour = Behaviour(id_field="id", fates=(Fate(0.3, first), Fate(0.2, second)))
    met = [fate_of(behaviour, str(number)).outcome for number in range(10_000)]
    assert met.count("hang") == pytest.approx(3_000, abs=200)
    assert met.count("empty") == pytest.approx(2_000, abs=200)


@pytest.mark.parametrize(
    "data",
    [{"outcome": "explode"}, {"latency": 3}, {"fates": [[0.7, {}], [0.7, {}]]}],
    ids=["unknown outcome", "unknown field", "too many fates"],
)
def test_a_plan_that_is_none_is_refused(data: dict[str, Any]) -> None:
    """A typing error in a test's plan must not become a function that echoes."""
    with pytest.raises(ValueError, match=r"outcome|unknown|shares"):
        behaviour_of(data)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"id":7}', "7"), (b'{"id":"a"}', "a"), (b"{}", None), (b"[1]", None), (b"no json", None),
        (b'{"id":null}', None),
    ],
)  # fmt: skip
def test_the_id_in_a_body(body: bytes, expected: str | None) -> None:
    """Text or number at the top of a document, else none."""
    assert document_id(body, "id") == expected


async def test_faults_can_be_limited_to_the_first_calls_of_an_id() -> None:
    """`times`: each id fails twice, then goes well: retries can be watched succeeding."""
    async with LambdaStub() as stub:
        stub.program("f", Behaviour(outcome="error", status=500, times=2, id_field="id"))
        invoker = invoker_for(stub.url)
        for identity in (b'{"id":1}', b'{"id":2}'):
            statuses = [(await invoker.invoke(InvokeRequest("f", identity))).status for _ in range(3)]
            assert statuses == [500, 500, 200]
        await invoker.close()
        assert stub.stats()["functions"]["f"]["ids"] == {"1": 3, "2": 3}
        assert stub.stats()["functions"]["f"]["ran"] == 2


def _ask(url: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_the_stub_runs_as_a_process() -> None:
    """It prints its port, takes plans, counts, forgets, and ends when its standard input does."""
    command = [sys.executable, "-m", "tests.fakes.lambda_stub", "--port", "0"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        invocations = f"{url}/2015-03-31/functions/f/invocations"
        plan = {"functions": {"f": {"outcome": "static", "body": '{"x":1}'}}, "known_only": True}
        assert _ask(f"{url}/config", plan) == (200, {})
        assert _ask(invocations, {"a": 1}) == (200, {"x": 1})
        assert _ask(invocations.replace("/f/", "/g/"), {})[0] == 404
        status, refusal = _ask(f"{url}/config", {"functions": {"f": {"latency": 1}}})
        assert (status, "latency" in refusal["message"]) == (400, True)
        assert _ask(f"{url}/stats")[1]["functions"]["f"]["calls"] == 1
        assert _ask(f"{url}/reset", {}) == (200, {})
        assert _ask(f"{url}/stats")[1]["calls"] == 0
    finally:
        process.stdin.close()
        process.stdout.close()
        assert process.wait(20) == 0
