"""The nearest known name to a mistyped one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import takewhile


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like it (case does not count), or an empty text. Of two that are as
    near, the one that begins alike for longer."""
    wanted = name.lower()
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(wanted, by_lower, n=5, cutoff=0.6)
    if not found:
        return ""

    def likeness(candidate: str) -> tuple[float, int]:
        ratio = difflib.SequenceMatcher(None, candidate, wanted).ratio()
        alike = takewhile(lambda pair: pair[0] == pair[1], zip(candidate, wanted, strict=False))
        return ratio, sum(1 for _ in alike)

    return by_lower[max(found, key=likeness)]
