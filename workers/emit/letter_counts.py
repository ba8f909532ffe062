"""Dead letters summed up: how many, of which kind, when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from workers.emit.letters import Letter

# Classes may come from functions. Past so many kinds the rest is counted together.
MAX_KINDS: Final = 1_000
# Four months of hours.
MAX_HOURS: Final = 3_000
OTHER: Final = "(other)"


@dataclass(slots=True)
class Count:
    """Letters of one kind. Times are ISO 8601 in UTC, empty where no letter had one."""

    letters: int = 0
    first: str = ""
    last: str = ""

    def add(self, moment: str) -> None:
        self.letters += 1
        if moment:
            self.first = min(self.first or moment, moment)
            self.last = max(self.last, moment)

    def as_dict(self) -> dict[str, Any]:
        return {"count": self.letters, "firstTime": self.first, "lastTime": self.last}


class LetterCounts:
    """Counts by (class, scope, operator), and by hour."""

    def __init__(self) -> None:
        self.all = Count()
        self.kinds: dict[tuple[str, str, str], Count] = {}
        self.hours: dict[str, int] = {}

    def add(self, letter: Letter) -> None:
        """Count one."""
        moment = _iso(letter.time)
        kind = (
            str(letter.error.get("class", "")),
            str(letter.error.get("scope", "")),
            str(letter.why.get("operatorName", "")),
        )
        if kind not in self.kinds and len(self.kinds) >= MAX_KINDS:
            kind = (OTHER, OTHER, OTHER)
        hour = f"{moment[:13]}:00Z" if moment else OTHER
        if hour not in self.hours and len(self.hours) >= MAX_HOURS:
            hour = OTHER
        self.all.add(moment)
        self.kinds.setdefault(kind, Count()).add(moment)
        self.hours[hour] = self.hours.get(hour, 0) + 1

    def sorted_kinds(self) -> list[tuple[tuple[str, str, str], Count]]:
        """The most frequent first."""
        return sorted(self.kinds.items(), key=lambda item: (-item[1].letters, item[0]))

    def as_data(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            **self.all.as_dict(),
            "kinds": [
                {"class": name, "scope": scope, "operator": operator, **count.as_dict()}
                for (name, scope, operator), count in self.sorted_kinds()
            ],
            "hours": [{"hour": hour, "count": count} for hour, count in sorted(self.hours.items())],
        }


def _iso(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
