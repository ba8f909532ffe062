"""Whether a call may run, and as whom: `private`, `can_evaluate` and `run_as_*` of the manifest.

Decided for every call, in this order: `private` (calls from outside alone), `can_evaluate` (for who calls),
then the user. The script of `run_as_user_id_script_source` therefore never runs for somebody who is denied.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from topics.codecs import CodecError, decode_value, encode_value
from workers.functions import answers
from workers.functions.answers import ApiError
from workers.functions.call import Outcome
from workers.functions.context import MAX_DEPTH, SYSTEM_USER, AppContext, CallContext, Request, User
from workers.functions.manifest import FunctionEntry
from workers.functions.rules import FAILED, Ask, Rule, RuleFailed, evaluate

log = logging.getLogger("penstock.functions")

Origin = Literal["outside", "function", "rule", "script"]
"""Who asks: a client, `context.functions.execute`, `%function`, or a function that is to name its user."""

MAX_USER_ID_CHARACTERS: Final = 256

ARGUMENTS: Final = "args"
"""The expansion that differs from call to call."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call before it is decided. `args` is a JSON array, `user` who asks (None: nobody is known)."""

    args: bytes
    origin: Origin = "outside"
    user: User | None = None
    runs_as_system: bool = False
    request: Request = field(default_factory=Request)
    depth: int = 0
    client_context: bytes = b""


class Denied(Exception):
    """The manifest does not let this call run. `reason` is for the log: it names fields and no values.
    `is_for_arguments`: with others it may."""

    def __init__(self, reason: str, *, is_for_arguments: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_for_arguments = is_for_arguments


class Runner(Protocol):
    """Runs functions for a decision; kept by `dispatch.Dispatch`."""

    async def run(self, name: str, wanted: Wanted) -> Outcome:
        """Run a function by its name. Raises ApiError."""
        ...

    async def run_script(self, entry: FunctionEntry, wanted: Wanted) -> Outcome:
        """Run the script that names the user of a function. Raises ApiError."""
        ...


class Access:
    """Decides. Keeps nothing but what it parsed once."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._apps: dict[int, tuple[AppContext, dict[str, Any]]] = {}

    async def admit(self, entry: FunctionEntry, wanted: Wanted) -> CallContext:
        """The context in which the call runs. Raises Denied, and ApiError when a function that a rule needs
        has no room, or when functions call each other too deep."""
        access = entry.access
        if wanted.depth > MAX_DEPTH:
            raise answers.too_deep(MAX_DEPTH)
        if access.private and wanted.origin == "outside":
            raise Denied("the function is private")
        rule = access.can_evaluate
        if rule is not None and not await self._holds(entry, rule, wanted):
            raise Denied("can_evaluate is false", is_for_arguments=ARGUMENTS in rule.roots)
        user, as_system = wanted.user, wanted.runs_as_system
        if access.run_as_system:
            user, as_system = user or SYSTEM_USER, True
        elif access.run_as_user_id:
            user, as_system = _user(access.run_as_user_id, user), False
        elif entry.run_as_script is not None:
            user, as_system = await self._named_by_script(entry.run_as_script, wanted)
        return CallContext(entry.name, user, as_system, wanted.request, wanted.depth)

    async def _holds(self, entry: FunctionEntry, rule: Rule, wanted: Wanted) -> bool:
        evaluation = evaluate(rule, self._known(entry, rule, wanted))
        try:
            ask = next(evaluation)
            while True:
                ask = evaluation.send(await self._asked(ask, wanted))
        except StopIteration as end:
            return bool(end.value)
        except RuleFailed as failed:
            of_arguments = ARGUMENTS in rule.roots
            raise Denied(f"can_evaluate: {failed}", is_for_arguments=of_arguments) from failed

    async def _asked(self, ask: Ask, wanted: Wanted) -> Any:
        """What a function answers a rule; FAILED when it throws or may not be called."""
        inner = Wanted(
            args=encode_value(ask.args),
            origin="rule",
            user=wanted.user,
            runs_as_system=wanted.runs_as_system,
            request=wanted.request,
            depth=wanted.depth + 1,
        )
        try:
            outcome = await self._runner.run(ask.name, inner)
        except ApiError as error:
            if error.status in (429, 503):
                raise
            return FAILED
        return FAILED if outcome.failed else _typed(outcome.body)

    def _known(self, entry: FunctionEntry, rule: Rule, wanted: Wanted) -> Mapping[str, Any]:
        known: dict[str, Any] = {}
        if rule.roots & {"values", "environment"}:
            known.update(self._of_app(entry.app))
        if "user" in rule.roots and wanted.user is not None:
            known["user"] = wanted.user.as_data()
        if "request" in rule.roots:
            known["request"] = wanted.request.as_data()
        if "args" in rule.roots:
            known["args"] = _typed(wanted.args)
        return known

    def _of_app(self, app: AppContext) -> dict[str, Any]:
        kept = self._apps.get(id(app))
        if kept is None or kept[0] is not app:
            self._apps.clear()  # one app at a time: a new one replaces it when files were saved
            kept = self._apps[id(app)] = app, _typed(json.dumps(app.as_data()).encode())
        return kept[1]

    async def _named_by_script(self, script: FunctionEntry, wanted: Wanted) -> tuple[User | None, bool]:
        """The script gets the call's own arguments, and its user as `context.user`."""
        inner = Wanted(
            args=wanted.args,
            origin="script",
            user=wanted.user,
            request=wanted.request,
            depth=wanted.depth + 1,
        )
        outcome = await self._runner.run_script(script, inner)
        if outcome.failed:
            raise Denied("run_as_user_id_script_source has thrown")
        found = _typed(outcome.body)
        if found == {"runAsSystem": True}:
            return wanted.user or SYSTEM_USER, True
        if isinstance(found, str) and 0 < len(found) <= MAX_USER_ID_CHARACTERS:
            return _user(found, wanted.user), False
        raise Denied("run_as_user_id_script_source returned no user id")


def is_open(entry: FunctionEntry) -> bool:
    """Whether `admit` would let anybody run it, and as nobody else."""
    access = entry.access
    return not (
        access.private
        or access.can_evaluate is not None
        or access.run_as_system
        or access.run_as_user_id
        or entry.run_as_script is not None
    )


def _user(user_id: str, caller: User | None) -> User:
    """There is no store of users: of another one than the caller nothing is known but the id."""
    return caller if caller is not None and caller.id == user_id else User(user_id)


def _typed(data: bytes) -> Any:
    """JSON with Extended JSON's types; as it stands where a type wrapper is malformed."""
    try:
        return decode_value(data)
    except CodecError:
        return json.loads(data)
