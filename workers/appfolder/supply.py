"""The machine's own clock and chance, for `$currentDate`, `$createUUID` and `$rand`."""

from __future__ import annotations

import random
import secrets
import time
from typing import Final

from workers.pipeline import Supply


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


SYSTEM: Final = Supply(now_ms=_now_ms, random_bytes=secrets.token_bytes, random=random.random)
