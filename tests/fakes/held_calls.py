"""Calls of a stub that are answered after a while, or as soon as a test says so."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

Answer = Callable[..., None]


class HeldCalls:
    """What is still to be answered, in the order it came."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._held: dict[int, tuple[asyncio.TimerHandle, Answer, tuple[Any, ...]]] = {}

    def hold(self, seconds: float, answer: Answer, *arguments: Any) -> None:
        """Answer after so many seconds; with 0 at once."""
        if not seconds:
            answer(*arguments)
            return
        number = next(self._numbers)
        handle = asyncio.get_running_loop().call_later(seconds, self._is_due, number)
        self._held[number] = handle, answer, arguments

    def release(self) -> int:
        """Answer all of them now; how many there were."""
        held, self._held = self._held, {}
        for handle, answer, arguments in held.values():
            handle.cancel()
            answer(*arguments)
        return len(held)

    def _is_due(self, number: int) -> None:
        _, answer, arguments = self._held.pop(number)
        answer(*arguments)
