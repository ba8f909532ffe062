"""The Invoke stub on a loop and a thread of its own, for tests whose own thread is busy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from tests.fakes.lambda_stub import LambdaStub


@contextmanager
def stub_in_thread() -> Iterator[LambdaStub]:
    """Answers until the block ends. Its attributes may be set from any thread."""
    made: Future[tuple[LambdaStub, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        ending = asyncio.Event()
        async with LambdaStub() as running:
            made.set_result((running, asyncio.get_running_loop(), ending))
            await ending.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    running, loop, ending = made.result(30)
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(30)
