"""Where the documents of one call site go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from workers.engine.calling import Job
from workers.engine.execute import Executor
from workers.engine.partition import PartitionRun
from workers.model import Document, Refused

Fail = Callable[[str, PartitionRun], None]


class AfterCall:
    """Keeps `calling.Done`."""

    def __init__(self, executor: Executor, site_index: int, fail: Fail, *, ends_pipeline: bool) -> None:
        """`fail` stops the processor at a partition's place; `ends_pipeline`: nothing comes after this call
        site."""
        self._executor, self._site, self._fail = executor, site_index, fail
        self._ends_pipeline = ends_pipeline

    def passed(self, job: Job, doc: Document) -> None:
        self._executor.next_segment(job.slot, job.place, self._site + 1, doc, job.meta)
        self._executor.release(job.slot.partition)

    def passed_many(self, jobs: Sequence[Job], docs: Sequence[Document]) -> None:
        self._executor.next_segment_many(jobs, self._site + 1, docs)
        for partition in {job.slot.partition for job in jobs}:
            self._executor.release(partition)

    def dropped(self, job: Job) -> None:
        self._executor.done(job.slot, job.place, "dropped")
        self._executor.release(job.slot.partition)

    def refused(self, job: Job, refused: Refused) -> None:
        self._executor.done(job.slot, job.place, refused)
        self._executor.release(job.slot.partition)

    def ignored(self, job: Job) -> None:
        """The document goes on as it is; where the call ends the pipeline that is its end."""
        if self._ends_pipeline:
            self._executor.done(job.slot, job.place, "ignored")
            self._executor.release(job.slot.partition)
        else:
            self.passed(job, job.doc)

    def failed(self, job: Job, reason: str) -> None:
        self._fail(reason, job.slot.partition)
