"""What a Kafka client says, without its repetitions: a broker that is away would fill the log alone.

librdkafka writes a line for every connection that fails, some 25 a second for one processor and one producer
while the only broker is away, all of them the same.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Final

REPEAT_SECONDS: Final = 60.0
"""How long a line that was said is not said again."""

MAX_LINES: Final = 1_000
"""Different lines that are remembered; past that all are forgotten."""

# `... failed: Connection refused (after 3ms in state CONNECT, 2 identical error(s) suppressed)`
_COUNTED: Final = re.compile(r" \(after \d+ms.*\)")


class Repeats:
    """Which lines are new. Threads may share one: at worst a line is said twice."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[float, int]] = {}

    def is_new(self, line: str, now: float) -> bool:
        """Whether to say it now: not within REPEAT_SECONDS of the same one, whatever times it counts."""
        return self.kept_back(line, now) is not None

    def kept_back(self, line: str, now: float) -> int | None:
        """How often the line was kept back since it was said; None: it is to be kept back now, too."""
        line = _COUNTED.sub("", line)
        said_at, count = self._said.get(line, (-REPEAT_SECONDS, 0))
        if now - said_at < REPEAT_SECONDS:
            self._said[line] = (said_at, count + 1)
            return None
        if len(self._said) >= MAX_LINES:
            self._said.clear()
        self._said[line] = (now, 0)
        return count


class ClientLines(logging.Filter):
    """Keeps back what librdkafka repeats; what Penstock says with fields of its own passes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._repeats = Repeats()

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets a line through, with how often it was kept back before."""
        if hasattr(record, "fields"):
            return True
        line = record.getMessage()
        kept_back = self._repeats.kept_back(line, self._clock())
        if kept_back:
            record.msg, record.args = "%s (%d more like it before)", (line, kept_back)
        return kept_back is not None


def client_logger(name: str) -> logging.Logger:
    """The logger of the module `name`, with librdkafka's repetitions kept back."""
    logger = logging.getLogger(name)
    if not any(isinstance(one, ClientLines) for one in logger.filters):
        logger.addFilter(ClientLines())
    return logger
