"""`--where`: a query, or stages that filter, in the language of pipelines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from workers.appfolder import BadText
from workers.appfolder.literals import with_literals
from workers.appfolder.mongosh import parse_mongosh
from workers.appfolder.supply import SYSTEM
from workers.emit.letters import Letter, as_document
from workers.errors import Invalid, Problem
from workers.model import Many, Refused
from workers.pipeline import STAGES, compile_stages
from workers.pipeline.program import SegmentFunction

NAME: Final = "--where"
_QUERY: Final = "pipeline[0].$match"
_RULE: Final = 'a query such as {"errInfo.class": "TimedOut"}, or a list of stages that filter'


class Where:
    """A compiled query. `failed` counts the letters for which it could not be answered; they do not match."""

    def __init__(self, text: str | None) -> None:
        """Raises Invalid with every problem. None matches everything."""
        self.failed = 0
        self.first_failure = ""
        self._run: SegmentFunction | None = None if text is None else _compiled(text)

    def matches(self, letter: Letter) -> bool:
        """Whether the letter passes."""
        if self._run is None:
            return True
        (outcome,) = self._run([as_document(letter)], None)
        if isinstance(outcome, Refused):
            self.failed += 1
            self.first_failure = self.first_failure or f"{letter.place}: {outcome.reason}"
            return False
        if isinstance(outcome, Many):
            return any(isinstance(one, dict) for one in outcome.docs)
        return isinstance(outcome, dict)

    def remarks(self) -> list[str]:
        """What could not be answered, for a person."""
        if not self.failed:
            return []
        return [f"note: {NAME} failed on {self.failed} letters, first on {self.first_failure}"]


def _compiled(text: str) -> SegmentFunction:
    try:
        query = parse_mongosh(text)
    except BadText as error:
        expected = f"expected {error.expected}" if error.expected else _RULE
        raise Invalid([Problem(NAME, error.place, error.found, expected)]) from None
    if not isinstance(query, dict) and not (isinstance(query, list) and query):
        raise Invalid([Problem(NAME, "", "holds no query", _RULE)])
    is_query = isinstance(query, dict)
    if isinstance(query, list) and len(query) == 1 and text.lstrip().startswith("{"):
        # Alone, `{$or: [...]}` reads like a stage.
        is_query = isinstance(query[0], dict) and not STAGES.keys() & query[0].keys()
        query = query[0] if is_query else query
    written: list[Any] = [{"$match": query}] if is_query else query
    stages, problems = with_literals(written, NAME, "pipeline")
    try:
        program = compile_stages(stages, file=NAME, supply=SYSTEM)
    except Invalid as error:
        raise _shortened([*problems, *error.problems], is_query=is_query) from None
    if problems:
        raise _shortened(problems, is_query=is_query)
    segment = program.segments[0]
    if program.source is not None or program.sink is not None or len(program.segments) > 1:
        raise Invalid([Problem(NAME, "", "has $source, $emit or calls", "stages that filter")])
    if segment.is_whole:
        raise Invalid([Problem(NAME, "", "has a stage over all letters at once", "stages that filter")])
    if segment.needs_meta:
        raise Invalid([Problem(NAME, "", "reads $meta", "the fields of the letter: _stream_meta.source")])
    return segment.run


def _shortened(problems: list[Problem], *, is_query: bool) -> Invalid:
    """With places as the user wrote them: a query stands alone, not in a pipeline."""
    outer = _QUERY if is_query else "pipeline"
    return Invalid(replace(one, path=one.path.removeprefix(outer).removeprefix(".")) for one in problems)
