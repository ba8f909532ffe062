"""Whether a function can do what a call site asks of it, by what AWS says before the first record. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

# A function that just ran into its own time-out answers after it: 5 s cover that way back.
ANSWER_SECONDS: Final = 5.0
# Below it a batch of the largest size leaves a function no time for each record; AWS's default of 3 s is
# often forgotten.
SECONDS_A_RECORD: Final = 0.005
# A decoded JSON body takes some 10 times its bytes in Python and JavaScript; a runtime takes 50 MB by itself.
DECODED_TIMES: Final = 10
RUNTIME_MIB: Final = 50
MIB: Final = 1_048_576
# Requests a second that Lambda takes for each unit of a function's concurrency.
LAMBDA_RATE: Final = 10

_NAME: Final = re.compile(
    r"(?:arn:[a-z-]+:lambda:(?P<region>[a-z0-9-]+):)?(?:(?:\d{12}|account-id):function:)?"
    r"(?P<name>[^:]+)(?::(?P<qualifier>[^:]+))?"
)
_PASSING: Final = frozenset({408, 409, 429})


class FunctionName(NamedTuple):
    """What a `functionName` says; None for what it leaves open."""

    region: str | None
    name: str
    qualifier: str | None


def parts_of(function: str) -> FunctionName:
    """The parts of a name, `name:alias`, or partial or full ARN."""
    found = _NAME.fullmatch(function)
    if found is None:
        return FunctionName(None, function, None)
    return FunctionName(found["region"], found["name"], found["qualifier"])


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one call site asks of its function. `where` names it in messages, `timeout_seconds` is None where
    it is to be the function's own, `batch_bytes` of the encoded request, `calls_per_second` what one
    process may begin, `retry_seconds` how long after its first attempt a call is tried again (None: there is
    one attempt)."""

    where: str
    function: str
    is_async: bool = False
    timeout_seconds: float | None = None
    parallelism: int = 1
    batch_records: int = 1
    batch_bytes: int = 0
    calls_per_second: float | None = None
    retry_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """What AWS says about a function. None: not permitted to ask, or not said.

    `reserved` counts concurrent runs; `invoke_mode` is that of its URL; `tenancy` its isolation mode.
    """

    timeout_seconds: float | None = None
    memory_mib: int | None = None
    state: str = ""
    state_reason: str = ""
    update_status: str = ""
    reserved: int | None = None
    invoke_mode: str = ""
    tenancy: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was learnt about one function. `status` of the DryRun: 204 where it may be called, 0 where nothing
    answered, as `message` says; `refused` is why there are no keys, `region` what the connection calls.
    `is_hosted`: not AWS answered but a function host, which may decide about each call by its arguments.
    """

    status: int = 204
    error_type: str = ""
    message: str = ""
    refused: str = ""
    region: str = ""
    is_hosted: bool = False
    configuration: Configuration = field(default_factory=Configuration)


@dataclass(frozen=True, slots=True)
class Misfit:
    """`is_certain`: no record can pass before somebody changes something. Otherwise a doubt, or a fault that
    passes."""

    where: str
    found: str
    expected: str
    is_certain: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.found}; {self.expected}"


def client_timeout(given_seconds: float, longest_seconds: float, facts: Facts | None) -> float:
    """Seconds for one call. `longest_seconds` (what any function may run at most) as the given ones means
    that the function's own time-out is meant, where it is known."""
    own = facts.configuration.timeout_seconds if facts is not None else None
    return given_seconds if own is None or given_seconds < longest_seconds else own + ANSWER_SECONDS


def misfits(wanted: Wanted, facts: Facts) -> Iterator[Misfit]:
    """Everything that does not fit, what is certain first."""
    region = parts_of(wanted.function).region
    if facts.region and region not in (None, "region", facts.region):
        said = f"{wanted.function} is in {region}"
        yield Misfit(wanted.where, said, f"a function in {facts.region}, the connection's", is_certain=True)
        return
    refusal = _refusal(wanted, facts)
    if refusal is not None:
        yield refusal
        if refusal.is_certain:
            return
    found = facts.configuration
    yield from _certain(wanted, found)
    yield from _doubts(wanted, found)


def _refusal(wanted: Wanted, facts: Facts) -> Misfit | None:
    """What the DryRun said."""
    function, status = wanted.function, facts.status
    if facts.refused:
        return Misfit(wanted.where, facts.refused, "keys and a role that AWS takes", is_certain=True)
    if status == 204:
        return None
    kind = facts.error_type or f"status {status}"
    if status == 404 and facts.error_type == "ResourceNotFoundException":
        expected = "an existing function, alias or version in the connection's region and account"
        return Misfit(wanted.where, f"there is no function {function}", expected, is_certain=True)
    if facts.error_type == "AccessDeniedException":
        expected = "allow lambda:InvokeFunction on it to the connection's identity"
        said = f"no permission to call {function}"
        if facts.is_hosted:
            expected = "a function that is not private, and whose can_evaluate lets calls pass"
        return Misfit(wanted.where, said, expected, is_certain=not facts.is_hosted)
    if status == 403:
        expected = "keys that AWS takes"
        return Misfit(wanted.where, f"AWS refuses the keys ({kind})", expected, is_certain=True)
    if status == 0 or status >= 500 or status in _PASSING or not facts.error_type:
        said = f" ({facts.message})" if facts.message else ""
        found = f"{function} could not be checked: {kind if status else 'no answer'}{said}"
        return Misfit(wanted.where, found, "calls wait until it answers", is_certain=False)
    return Misfit(wanted.where, f"{function} cannot be called: {kind}", facts.message, is_certain=True)


def _certain(wanted: Wanted, found: Configuration) -> Iterator[Misfit]:
    function, where = wanted.function, wanted.where
    if found.invoke_mode == "RESPONSE_STREAM":
        said = f"{function} streams its answer (InvokeMode RESPONSE_STREAM)"
        yield Misfit(where, said, "InvokeMode BUFFERED: a record needs a whole answer", is_certain=True)
    if found.tenancy:
        said = f"{function} isolates tenants ({found.tenancy}), and calls name none"
        yield Misfit(where, said, "a function without tenant isolation", is_certain=True)
    if found.state == "Failed":
        said = f"{function} is in state Failed ({found.state_reason or 'no reason given'})"
        yield Misfit(where, said, "deploy it again", is_certain=True)
    if found.reserved == 0:
        said = f"{function} has a reserved concurrency of 0, so every call is throttled"
        yield Misfit(where, said, "a reserved concurrency above 0, or none", is_certain=True)


def _doubts(wanted: Wanted, found: Configuration) -> Iterator[Misfit]:
    function, where = wanted.function, wanted.where
    own, given = found.timeout_seconds, wanted.timeout_seconds
    if own is not None and not wanted.is_async:
        if given is not None and given < own:
            said = f"timeout {given:g} s is shorter than the {own:g} s that {function} may run"
            yield _doubt(where, said, "no timeout, or a longer one: what is given up may still be done")
        if wanted.retry_seconds is not None and own >= wanted.retry_seconds:
            said = (
                f"{function} may run {own:g} s, and after {wanted.retry_seconds:g} s nothing is tried again"
            )
            yield _doubt(
                where, said, "a longer retry.maxElapsed: what runs into its time-out has one attempt"
            )
        if own < wanted.batch_records * SECONDS_A_RECORD:
            said = f"{function} may run {own:g} s for a batch of {wanted.batch_records:,} records"
            yield _doubt(where, said, "a longer Timeout of the function, or a smaller batch.maxRecords")
    if found.memory_mib is not None and wanted.batch_bytes:
        needed = RUNTIME_MIB + wanted.batch_bytes * DECODED_TIMES // MIB
        if needed > found.memory_mib:
            said = f"{function} has {found.memory_mib} MB for batches of up to {wanted.batch_bytes:,} bytes"
            yield _doubt(where, said, f"{needed} MB, or a smaller batch.maxBytes")
    if found.reserved and not wanted.is_async:
        yield from _concurrency(wanted, found.reserved, own)
    if found.state in ("Pending", "Inactive") or found.update_status in ("InProgress", "Failed"):
        said = f"state {found.state or 'unknown'}, last update {found.update_status or 'unknown'}"
        yield _doubt(where, f"{function} is being deployed or idle ({said})", "calls wait until it is Active")


def _concurrency(wanted: Wanted, reserved: int, own_seconds: float | None) -> Iterator[Misfit]:
    """How many calls run at once: as many as `parallelism` allows, and as begin within the time of one."""
    where, rate = wanted.where, wanted.calls_per_second
    if rate is not None and rate > LAMBDA_RATE * reserved:
        said = f"rate {rate:g}/s for a reserved concurrency of {reserved}"
        most = LAMBDA_RATE * reserved
        yield _doubt(where, said, f"at most {most}/s: Lambda takes {LAMBDA_RATE} a second for each")
    if wanted.parallelism <= reserved:
        return
    said = f"parallelism {wanted.parallelism} for a reserved concurrency of {reserved}"
    if rate is None:
        yield _doubt(where, said, "a lower parallelism: calls above it are throttled")
    elif own_seconds is None or rate * own_seconds > reserved:
        longest = f"calls that take over {reserved / rate:.3g} s at {rate:g}/s are throttled"
        yield _doubt(where, said, f"a lower parallelism or rate: {longest}")


def _doubt(where: str, found: str, expected: str) -> Misfit:
    return Misfit(where, found, expected, is_certain=False)
