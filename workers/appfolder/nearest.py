"""What a misspelt name probably means, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from workers.pipeline.nearest import nearest


def suggest(name: str, known: Iterable[str]) -> str:
    """`did you mean topic?`, or what is known (at most 12 names)."""
    names = sorted(known)
    if close := nearest(name, names):
        return f"did you mean {close}?"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"known: {shown}" if names else "nothing is known here"
