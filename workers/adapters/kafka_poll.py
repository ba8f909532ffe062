"""The one thread of an engine process that touches Kafka consumers.

Any call of a Consumer from a second thread would wait until the first thread's `consume()` returns (and a
revoke callback that waits for such a thread deadlocks), so everything a consumer is asked goes through its
source's `turn` here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from workers.adapters.kafka_consumer import KafkaSource

log = logging.getLogger(__name__)

# Shared out over the sources of a thread: an idle process wakes ten times a second, a record waits for its
# neighbours' turn at most this long.
IDLE_SECONDS: Final = 0.1
# While a source holds back, or has no client, nothing waits inside librdkafka, so the thread itself does.
HOLD_SECONDS: Final = 0.005
# Leaving a group takes some 10 ms; without a broker it may take as long as the session.
END_SECONDS: Final = 3.0


class PollThread:
    """Runs the turns of all sources of a process, round and round."""

    def __init__(self, on_crash: Callable[[BaseException], None]) -> None:
        """`on_crash` is called on the poll thread when it dies of a bug; the process cannot go on then."""
        self._sources: list[KafkaSource] = []
        self._new: list[KafkaSource] = []
        self._on_crash = on_crash
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="kafka-poll", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, source: KafkaSource) -> None:
        """The source gets its first turn soon after."""
        with self._lock:
            self._new.append(source)

    def end(self) -> None:
        """Ask the thread to end and wait for it a moment. Sources that nobody stopped leave their groups
        without a commit: the engine that could say what to commit is not there any more."""
        self._ending.set()
        self._thread.join(timeout=END_SECONDS)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not (self._ending.is_set() and not self._sources):
                self._round()
        except BaseException as error:
            log.exception("poll_thread_died")
            for source in self._sources:
                future: Future[None] = source.stop()
                if not future.done():
                    future.set_exception(error)
            self._on_crash(error)

    def _round(self) -> None:
        with self._lock:
            self._sources += self._new
            self._new.clear()
        if not self._sources:
            self._ending.wait(IDLE_SECONDS)
            return
        wait_seconds = IDLE_SECONDS / len(self._sources)
        moved = False
        waited = time.monotonic()
        for source in list(self._sources):
            if self._ending.is_set() and not source.wants_to_close():
                source.abandon()
            else:
                moved = source.turn(time.monotonic(), 0.0 if moved else wait_seconds) or moved
            if source.wants_to_close():
                source.close()
                self._sources.remove(source)
                moved = True
        if not moved and time.monotonic() - waited < HOLD_SECONDS:
            time.sleep(HOLD_SECONDS)
