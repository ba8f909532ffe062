"""docs/errors.md, printed from the error table. Pure.

`penstock explain-error --markdown > docs/errors.md` prints it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from workers.calls.error_table import ErrorEntry, ErrorTable, Section

SECTION_TITLES: Final[Mapping[Section, str]] = {
    "api": "Lambda's API",
    "statuses": "other answers, by HTTP status",
    "throttles": "reasons of a throttle",
    "denials": "reasons of a denial by the function host",
    "functions": "errors of the function",
    "transport": "calls without a whole answer",
    "penstock": "Penstock's own",
}

_HEAD: Final = """\
# Errors

Every failure of a call has a row here: whose fault it is (its scope), what Penstock does about it, and what
you can do. The engine judges by the same table (`workers/calls/errors.yaml`), and `penstock explain-error
NAME` prints one row. The name is the class of a dead letter.

| scope | whose fault | so |
|---|---|---|
| record | this document cannot work | `onError` of the stage |
| batch | this request cannot work | it is split, down to the record |
| function | nothing can work on this function now | a hold: its records stay where they are |
| account | every function of the account is affected | the limits go down |
| worker | our credentials, clock or network | mended, or this worker is not ready |
| configuration | what was set up is wrong | the processor starts again for 5 minutes, then it is FAILED |

A reaction that does not help is followed by the next one (`retry, then hold`). Retries without a number are
as many as `retry` of the stage allows; a throttled call uses up no attempt. Under *ran*: whether the
function ran. What may have run (*perhaps*) is sent again unless the stage says `retry: {onUnknown:
onError}`; then it is `onError`'s at once, and neither sent again nor split.

Under hold documents wait while the function is probed; after `hold.timeout` it is as `hold.after` says
([calls](calls.md)). Under notReady they wait without an end. Under fail the processor
[starts again](delivery.md#restarts) for 5 minutes before it is FAILED.
"""
_RAN: Final = {"notRun": "no", "unknown": "perhaps", "ran": "yes"}


def reaction_text(entry: ErrorEntry) -> str:
    """`retry up to 3 times, then hold`."""
    is_bounded = entry.retries is not None and entry.reaction in ("retry", "refresh")
    times = (
        f" up to {entry.retries} times"
        if is_bounded and entry.retries != 1
        else " once"
        if is_bounded
        else ""
    )
    return f"{entry.reaction}{times}" + (f", then {entry.then}" if entry.then else "")


def as_markdown(table: ErrorTable) -> str:
    """The whole page."""
    return _HEAD + "".join(f"{line}\n" for line in _sections(table))


def _sections(table: ErrorTable) -> Iterator[str]:
    for section, title in SECTION_TITLES.items():
        yield ""
        yield f"## {title[0].upper()}{title[1:]}"
        yield ""
        yield "| error | scope | reaction | ran | what it means | what you can do |"
        yield "|---|---|---|---|---|---|"
        for one in table.entries:
            if one.section == section:
                cells = (_name(one), one.scope, reaction_text(one), _RAN[one.outcome], one.means, one.do)
                yield f"| {' | '.join(cells)} |"


def _name(entry: ErrorEntry) -> str:
    if entry.name == "*":
        return "every other type"
    status = f" ({entry.status})" if entry.status else ""
    message = f" with “{entry.message}”" if entry.message else ""
    return f"`{entry.name}`{status}{message}"
