"""Errors, named by what the caller does next. Client libraries' errors never cross `adapters`.

| error | who sees it | what happens next |
|---|---|---|
| `Invalid` | a person at start | every problem is printed, exit code 2, nothing was started |
| `Poison` | the engine | this record is dead-lettered, the next one goes on |
| `Retryable` | the engine | wait and try again within the budget |
| `ProcessorFailed` | the engine | this processor stops as FAILED, nothing more is committed for it; the
others go on |
| `Fatal` | the process | commit nothing more and end; the supervisor starts a new process |
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass


class PenstockError(Exception):
    """Base of all errors of this project; never raised itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with what a user wrote.

    `file` is relative to the app folder (`processors/orders.yaml`), `path` the place in it
    (`pipeline[3].$project.total`), `found` what stands there, `expected` what would be right.
    """

    file: str
    path: str
    found: str
    expected: str = ""

    def __str__(self) -> str:
        where = f"{self.file}: {self.path}" if self.file and self.path else self.file or self.path
        text = f"{where}: {self.found}" if where else self.found
        return f"{text}; {self.expected}" if self.expected else text

    def as_dict(self) -> dict[str, str]:
        """The same as plain data, for `--json`."""
        return asdict(self)


class Invalid(PenstockError):
    """What the user wrote cannot be run. Carries every problem found, never only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        assert self.problems, "Invalid needs at least one problem"
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Poison(PenstockError):
    """This record will never succeed. Dead-letter it and move on. `at` says where it failed."""

    def __init__(self, reason: str, *, at: str = "") -> None:
        super().__init__(f"{at}: {reason}" if at else reason)
        self.reason, self.at = reason, at


class Retryable(PenstockError):
    """The same thing may succeed later. Wait and try again within the budget."""


class NotSent(Retryable):
    """The request never reached the other side (DNS, refused, TLS): trying again cannot run it twice."""


class NoCredentials(NotSent):
    """There are no keys to sign with at the moment: STS or the machine's metadata service does not answer."""


class UnknownOutcome(Retryable):
    """The request was sent and no whole answer came back: it may have run."""


class TimedOut(UnknownOutcome):
    """No answer within the time-out: it may still be running."""


class AnswerTooLarge(UnknownOutcome):
    """The answer is larger than we take: the function ran, and would answer the same again."""


class ProcessorFailed(PenstockError):
    """This processor cannot go on. It is stopped as FAILED, nothing past the failing document is
    committed."""


class Fatal(PenstockError):
    """The process cannot go on safely. Commit nothing more; the supervisor starts another."""
