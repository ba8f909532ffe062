"""Files that are replaced while the host runs: certificates, keys, accounts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeAlias

from workers.errors import Invalid

log = logging.getLogger("penstock.functions")

Stamp: TypeAlias = tuple[int, int, int]


def stamps(files: Iterable[Path]) -> dict[Path, Stamp | None]:
    """When each file was changed (ns), its size and inode; None for one that is not there. Links are
    followed: a mounted Kubernetes secret is renewed by switching one."""
    return {path: _stamp(path) for path in files}


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


async def watch(
    what: str, files: Callable[[], Iterable[Path]], renew: Callable[[], Awaitable[None]], seconds: float
) -> None:
    """Look every `seconds` for ever, and `renew` once the files have changed and then stood still for one
    look. What is wrong with them is logged, and the host goes on with what it has."""
    applied = seen = stamps(files())
    while True:
        await asyncio.sleep(seconds)
        now = stamps(files())
        if now != seen or now == applied:
            seen = now
            continue
        applied = now
        try:
            await renew()
        except Invalid as invalid:
            log.warning("not renewed", extra={"what": what, "problems": str(invalid)[:2_000]})
        else:
            # What changed since the look is seen by the next one; files that are new stand as they are now.
            applied = seen = {path: now.get(path, stamp) for path, stamp in stamps(files()).items()}
            log.info("renewed", extra={"what": what})
