"""The port `Invoker`: kept by the fake, and by the Lambda client on the stub and on the function host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.callers import TokenIssuer, gate_for
from tests.fakes.function_host import embedded_host, write_functions
from tests.fakes.invoker import FakeInvoker
from tests.fakes.lambda_behaviour import MAX_ASYNC_BYTES, MAX_SYNC_BYTES, Behaviour, Fate
from tests.fakes.lambda_client import KEYS, StaticKeys, invoker_for
from tests.fakes.lambda_stub import LambdaStub
from workers.adapters.sigv4 import Credentials
from workers.errors import NotSent, Retryable, TimedOut, UnknownOutcome
from workers.ports import InvocationType, InvokeAnswer, Invoker, InvokeRequest

SLOW_SECONDS = 30
# A time-out that is met. A busy machine stands still for half a second, and the request must be out by then.
SHORT_SECONDS = 1.5

FUNCTIONS = {
    "echo.js": "exports = function (x) { console.log('called'); return x }",
    "fail.js": "exports = function () { throw new TypeError('no such customer') }",
    "slow.py": f"import time\ndef handler(event, context):\n    time.sleep({SLOW_SECONDS})\n",
}
BEHAVIOURS = {
    "echo": Behaviour(log="called"),
    "fail": Behaviour(outcome="function_error", error_type="TypeError", message="no such customer"),
    "slow": Behaviour(latency_ms=1_000 * SLOW_SECONDS),
}


async def call(
    invoker: Invoker, function: str, body: bytes = b"{}", kind: InvocationType = "RequestResponse",
    timeout_seconds: float = 10.0,
) -> InvokeAnswer:  # fmt: skip
    return await invoker.invoke(InvokeRequest(function, body, kind, timeout_seconds))


class InvokerContract:
    """What every invoker does with the functions echo, fail and slow."""

    async def test_the_answer_of_a_function_comes_back(self, invoker: Invoker) -> None:
        """A document goes in, status, body, version and request id come out; nothing says error."""
        answer = await call(invoker, "echo", b'{"a":[1,2.5,"x"]}')
        assert (answer.status, json.loads(answer.body)) == (200, {"a": [1, 2.5, "x"]})
        assert answer.executed_version == "$LATEST"
        assert answer.request_id
        assert (answer.function_error, answer.error_type) == (None, None)

    async def test_a_throwing_function_is_an_answer_that_says_so(self, invoker: Invoker) -> None:
        """Status 200, `function_error` set, the error in the body: not an exception."""
        answer = await call(invoker, "fail")
        assert (answer.status, answer.function_error) == (200, "Unhandled")
        body = json.loads(answer.body)
        assert (body["errorType"], body["errorMessage"]) == ("TypeError", "no such customer")

    async def test_an_unknown_function_is_an_answer_with_its_error_type(self, invoker: Invoker) -> None:
        """Errors of the service are answers too: the caller has the table of what they mean."""
        answer = await call(invoker, "nobody-wrote-this")
        assert (answer.status, answer.error_type) == (404, "ResourceNotFoundException")
        assert answer.function_error is None

    async def test_an_event_is_accepted_without_an_answer(self, invoker: Invoker) -> None:
        """Event: 202 and 0 bytes."""
        answer = await call(invoker, "echo", kind="Event")
        assert (answer.status, answer.body) == (202, b"")

    async def test_a_dry_run_does_not_run(self, invoker: Invoker) -> None:
        """DryRun: 204 and 0 bytes, also for a function that would throw."""
        answer = await call(invoker, "fail", kind="DryRun")
        assert (answer.status, answer.body, answer.function_error) == (204, b"", None)

    async def test_a_slow_function_times_out_and_may_have_run(self, invoker: Invoker) -> None:
        """TimedOut, which is an UnknownOutcome, long before the function would have answered."""
        started = asyncio.get_running_loop().time()
        with pytest.raises(TimedOut, match="slow"):
            await call(invoker, "slow", timeout_seconds=SHORT_SECONDS)
        assert asyncio.get_running_loop().time() - started < SLOW_SECONDS

    async def test_every_call_gets_its_own_answer(self, invoker: Invoker) -> None:
        """Sixty calls at once: none waits for another, no answer is mixed up."""
        answers = await asyncio.gather(*(call(invoker, "echo", b"[%d]" % n) for n in range(60)))
        assert [json.loads(answer.body) for answer in answers] == [[n] for n in range(60)]

    async def test_a_cancelled_call_harms_no_other(self, invoker: Invoker) -> None:
        """Cancelling abandons the call; calls beside it and after it go well."""
        slow = asyncio.create_task(call(invoker, "slow"))
        beside = asyncio.create_task(call(invoker, "echo", b"1"))
        await asyncio.sleep(0)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert (await beside).body == b"1"
        assert (await call(invoker, "echo", b"2")).body == b"2"

    async def test_the_log_tail_comes_when_asked_for(self, invoker: Invoker) -> None:
        """`log_tail` is base64 text when the request wants it, else None."""
        asked = await invoker.invoke(InvokeRequest("echo", b"1", log_tail=True))
        assert asked.log_tail
        assert (await invoker.invoke(InvokeRequest("echo", b"1"))).log_tail is None

    async def test_closing_twice_is_closing_once(self, invoker: Invoker) -> None:
        """After closing nothing can be sent, and a caller that tries is told so."""
        assert (await call(invoker, "echo", b"1")).status == 200
        await invoker.close()
        await invoker.close()
        with pytest.raises(NotSent):
            await call(invoker, "echo")

    async def test_closing_ends_open_calls(self, invoker: Invoker) -> None:
        """Who waits for an answer when the invoker is closed gets a Retryable, not silence."""
        slow = asyncio.create_task(call(invoker, "slow"))
        assert (await call(invoker, "echo", b"1")).body == b"1"
        await invoker.close()
        with pytest.raises(Retryable):
            await slow


@dataclass
class Programmed:
    """An invoker whose functions can be given faults, and the count of real runs of a function."""

    invoker: Invoker
    program: Callable[[str, Behaviour], None]
    ran: Callable[[str], int]


class FaultContract:
    """What every invoker makes of faults that only a fake or a stub can be told to have."""

    async def test_zero_bytes_are_zero_bytes(self, programmed: Programmed) -> None:
        """An empty answer stays empty, it does not become null."""
        programmed.program("f", Behaviour(outcome="empty"))
        answer = await call(programmed.invoker, "f")
        assert (answer.status, answer.body) == (200, b"")

    async def test_text_is_passed_on_as_it_is(self, programmed: Programmed) -> None:
        """The invoker does not look into bodies."""
        programmed.program("f", Behaviour(outcome="not_json"))
        assert (await call(programmed.invoker, "f")).body == b"plain text, no JSON"

    async def test_a_throttle_names_its_reason_and_when_to_come_back(self, programmed: Programmed) -> None:
        """429 with the type, Retry-After in seconds, the Reason in the body."""
        programmed.program(
            "f",
            Behaviour(
                outcome="error", status=429, error_type="TooManyRequestsException",
                reason="CallerRateLimitExceeded", retry_after_seconds=7,
            ),
        )  # fmt: skip
        answer = await call(programmed.invoker, "f")
        assert (answer.status, answer.error_type) == (429, "TooManyRequestsException")
        assert answer.retry_after_seconds == 7.0
        assert json.loads(answer.body)["Reason"] == "CallerRateLimitExceeded"

    async def test_calls_over_the_concurrency_are_throttled(self, programmed: Programmed) -> None:
        """Ten calls at once on a function that runs three: seven are refused, three run."""
        programmed.program("f", Behaviour(concurrency=3, latency_ms=200))
        answers = await asyncio.gather(*(call(programmed.invoker, "f") for _ in range(10)))
        assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 7
        assert programmed.ran("f") == 3

    @pytest.mark.parametrize(
        ("kind", "limit"), [("RequestResponse", MAX_SYNC_BYTES), ("Event", MAX_ASYNC_BYTES)]
    )
    async def test_a_body_over_the_limit_is_refused(
        self, programmed: Programmed, kind: InvocationType, limit: int
    ) -> None:
        """413 one byte over the limit of the kind, none at it."""
        programmed.program("f", Behaviour(outcome="empty"))
        assert (await call(programmed.invoker, "f", b"x" * limit, kind)).status in (200, 202)
        answer = await call(programmed.invoker, "f", b"x" * (limit + 1), kind)
        assert (answer.status, answer.error_type) == (413, "RequestTooLargeException")

    async def test_a_reset_without_an_answer_may_have_run(self, programmed: Programmed) -> None:
        """UnknownOutcome, after exactly one run."""
        programmed.program("f", Behaviour(outcome="drop_after"))
        with pytest.raises(UnknownOutcome) as raised:
            await call(programmed.invoker, "f")
        assert not isinstance(raised.value, TimedOut)
        assert programmed.ran("f") == 1

    async def test_half_an_answer_is_none(self, programmed: Programmed) -> None:
        """A body that ends too early is never handed on as a whole one."""
        programmed.program("f", Behaviour(outcome="half", body='{"total":100}'))
        with pytest.raises(UnknownOutcome):
            await call(programmed.invoker, "f")
        assert programmed.ran("f") == 1

    async def test_a_request_that_was_not_taken_has_not_run(self, programmed: Programmed) -> None:
        """A reset while the body is still being written: NotSent, and the function never ran."""
        programmed.program("f", Behaviour(outcome="drop_before"))
        with pytest.raises(NotSent):
            await call(programmed.invoker, "f", b"x" * 6_000_000)
        assert programmed.ran("f") == 0

    async def test_a_hanging_function_times_out(self, programmed: Programmed) -> None:
        """The request was taken and nothing came: TimedOut, after one run."""
        programmed.program("f", Behaviour(outcome="hang"))
        with pytest.raises(TimedOut):
            await call(programmed.invoker, "f", timeout_seconds=SHORT_SECONDS)
        assert programmed.ran("f") == 1

    async def test_nothing_is_sent_twice(self, programmed: Programmed) -> None:
        """Each fault in turn, on connections that served before: the function sees each call at most once."""
        for outcome in ("drop_after", "half", "hang"):
            name = outcome.replace("_", "-")
            await call(programmed.invoker, name)
            programmed.program(name, Behaviour(outcome=outcome))
            with pytest.raises(UnknownOutcome):
                await call(programmed.invoker, name, timeout_seconds=SHORT_SECONDS)
            assert programmed.ran(name) == 2, name

    async def test_the_fate_of_an_id_is_the_same_each_time(self, programmed: Programmed) -> None:
        """A hash of seed and id decides, so a repeated call meets what the first one met."""
        failing = Behaviour(outcome="function_error")
        programmed.program("f", Behaviour(id_field="id", seed=3, fates=(Fate(0.5, failing),)))

        async def fails(number: int) -> bool:
            return (await call(programmed.invoker, "f", b'{"id":%d}' % number)).function_error is not None

        first = [await fails(number) for number in range(40)]
        assert first == [await fails(number) for number in range(40)]
        assert {True, False} == set(first)


class TestFakeInvoker(InvokerContract, FaultContract):
    """The fake."""

    @pytest.fixture
    async def programmed(self) -> AsyncIterator[Programmed]:
        fake = FakeInvoker()
        yield Programmed(fake, fake.program, lambda name: fake.function(name).ran)
        await fake.close()

    @pytest.fixture
    async def invoker(self) -> AsyncIterator[Invoker]:
        fake = FakeInvoker(known_only=True)
        for name, behaviour in BEHAVIOURS.items():
            fake.program(name, behaviour)
        yield fake
        await fake.close()


class TestLambdaInvokerOnTheStub(InvokerContract, FaultContract):
    """The Lambda client over real connections."""

    @pytest.fixture
    async def programmed(self) -> AsyncIterator[Programmed]:
        async with LambdaStub() as stub:
            invoker = invoker_for(stub.url)
            yield Programmed(invoker, stub.program, lambda name: stub.function(name).ran)
            await invoker.close()

    @pytest.fixture
    async def invoker(self) -> AsyncIterator[Invoker]:
        async with LambdaStub() as stub:
            stub.known_only = True
            for name, behaviour in BEHAVIOURS.items():
                stub.program(name, behaviour)
            invoker = invoker_for(stub.url)
            yield invoker
            await invoker.close()


class TestLambdaInvokerOnTheFunctionHost(InvokerContract):
    """The Lambda client and real functions."""

    @pytest.fixture
    async def invoker(self, tmp_path: Path) -> AsyncIterator[Invoker]:
        async with embedded_host(write_functions(tmp_path, FUNCTIONS)) as host:
            invoker = invoker_for(host.host.endpoint)
            yield invoker
            await invoker.close()


class TestLambdaInvokerOnAHostThatKnowsItsCallers(InvokerContract):
    """The same where every request has to be signed by a key of the host's accounts."""

    @pytest.fixture
    async def invoker(self, tmp_path: Path) -> AsyncIterator[Invoker]:
        gate = gate_for(tmp_path, TokenIssuer())
        async with embedded_host(write_functions(tmp_path, FUNCTIONS), identify=gate.identify) as host:
            invoker = invoker_for(host.host.endpoint)
            yield invoker
            await invoker.close()

    @pytest.mark.parametrize(
        ("keys", "error_type"),
        [
            (Credentials(KEYS.access_key_id, "another-secret-0000"), "InvalidSignatureException"),
            (Credentials("AKIDOTHER", KEYS.secret_access_key), "UnrecognizedClientException"),
            (
                Credentials(KEYS.access_key_id, KEYS.secret_access_key, "a-session"),
                "UnrecognizedClientException",
            ),
        ],
    )
    async def test_wrong_keys_are_an_answer_and_are_asked_for_anew(
        self, tmp_path: Path, keys: Credentials, error_type: str
    ) -> None:
        """403 with AWS's code, and the source of the keys learns that they were refused."""
        source, gate = StaticKeys(keys), gate_for(tmp_path, TokenIssuer())
        async with embedded_host(write_functions(tmp_path, FUNCTIONS), identify=gate.identify) as host:
            invoker = invoker_for(host.host.endpoint, source)
            answer = await call(invoker, "echo")
            await invoker.close()
        assert (answer.status, answer.error_type) == (403, error_type)
        assert source.refusals == [keys]
