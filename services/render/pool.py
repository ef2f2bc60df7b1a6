"""The worker processes: each takes frames of jobs from one queue, and is replaced when it dies.

job_queue.py decides what is taken next, blame.py what follows from a death.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from runtime import logs
from services.domain.reasons import Reason
from services.render import blame, frames
from services.render.blame import Death
from services.render.frames import TaskResult, WorkerLimits, WorkerRequest
from services.render.job_queue import JobQueue
from services.render.jobs import Batch, Job, QueueFullError
from services.render.process import WORKER, WorkerDiedError, WorkerProcess

_MAX_WAITING = 20_000
_MAX_RESTART_DELAY_S = 5.0
# Outcomes after which the version is suspect.
_SUSPICIOUS = frozenset((Reason.RENDER_TIMEOUT, Reason.RENDER_MEMORY, Reason.RENDER_CRASHED))

log = logs.get(__name__)


class WorkerPool:
    """Runs jobs in worker processes. on_restart: called with the reason of each worker's death."""

    def __init__(
        self, limits: WorkerLimits, *, workers: int, on_restart: Callable[[str], None], module: str = WORKER
    ) -> None:
        self._limits = limits
        self._count = workers
        self._on_restart = on_restart
        self._module = module
        self._queue = JobQueue()
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._workers: dict[int, WorkerProcess] = {}

    @property
    def pids(self) -> list[int]:
        """The process ids of the living workers."""
        return [worker.pid for worker in self._workers.values()]

    @property
    def waiting(self) -> int:
        """The number of jobs that no worker has yet."""
        return len(self._queue)

    async def run(self, jobs: Sequence[Job], budget: float) -> list[TaskResult | None]:
        """Return an answer per job, in order; None for one that had no turn within budget seconds.

        A suspect version's jobs may be given up sooner, so that the others need not wait for them.
        Raises QueueFullError.
        """
        if not jobs:
            return []
        if len(self._queue) > _MAX_WAITING:
            raise QueueFullError
        complete = asyncio.Event()
        batch = Batch(len(jobs), complete.set)
        for index, job in enumerate(jobs):
            job.belongs_to(batch, index)
        self._queue.add(jobs)
        self._wake.set()
        try:
            async with asyncio.timeout(budget):
                await complete.wait()
        except TimeoutError:
            pass
        finally:
            batch.is_abandoned = True
        return batch.answers

    def is_suspect(self, version_id: str) -> bool:
        """Return whether the version used up a worker's time or memory, or killed it, within the last minute."""
        return self._queue.is_suspect(version_id, _now())

    async def ready(self) -> None:
        """Wait for the first worker."""
        await self._ready.wait()

    async def serve(self) -> None:
        """Keep the workers at work until cancelled; they end then."""
        async with asyncio.TaskGroup() as group:
            for slot in range(self._count):
                group.create_task(self._serve_slot(slot), name=f"worker-{slot}")

    async def _serve_slot(self, slot: int) -> None:
        """Keep one worker running."""
        delay = 0.0
        while True:
            try:
                worker = await WorkerProcess.start(self._limits, module=self._module)
            except (WorkerDiedError, OSError) as error:
                delay = min(delay * 2 + 0.1, _MAX_RESTART_DELAY_S)
                log.error("worker_start_failed", error=str(error), retry_s=delay)
                await asyncio.sleep(delay)
                continue
            delay = 0.0
            self._workers[slot] = worker
            self._ready.set()
            try:
                await self._feed(worker)
            except WorkerDiedError as error:
                self._on_restart(error.death.reason)
                log.warning("worker_died", reason=error.death.reason, detail=error.death.detail, pid=worker.pid)
            finally:
                del self._workers[slot]
                await worker.end(grace=0)

    async def _feed(self, worker: WorkerProcess) -> None:
        """Give a worker frame after frame. Raises WorkerDiedError."""
        while True:
            while not (jobs := self._queue.take(worker.known, _now())):
                self._wake.clear()
                await self._wake.wait()
            await self._exchange(worker, jobs)

    async def _exchange(self, worker: WorkerProcess, jobs: list[Job]) -> None:
        """Send one frame and settle its jobs. Raises WorkerDiedError."""
        worker.send(WorkerRequest([worker.task(job) for job in jobs], jobs[0].one_by_one))
        unanswered = deque(jobs)
        try:
            is_last = False
            while not is_last:
                progress = await worker.receive()
                for answer in progress.answers:
                    self._settle(worker, unanswered.popleft(), answer)
                is_last = progress.done
        except WorkerDiedError as error:
            self._settle_death(list(unanswered), error.death)
            raise
        except BaseException:
            self._send_again(unanswered)
            raise
        self._send_again(unanswered)

    def _settle(self, worker: WorkerProcess, job: Job, answer: TaskResult) -> None:
        if answer.outcome == frames.NEEDS_SOURCE:
            worker.known.discard(job.version_id)
            self._send_again([job])
            return
        if answer.outcome in _SUSPICIOUS:
            self._queue.suspect(job.version_id, _now())
        job.settle(answer)

    def _settle_death(self, unanswered: Sequence[Job], death: Death) -> None:
        verdict = blame.judge(unanswered, death)
        if verdict.culprit is not None:
            self._queue.suspect(verdict.culprit.version_id, _now())
            verdict.culprit.settle(TaskResult(death.reason, detail=death.detail))
        self._send_again(verdict.again)

    def _send_again(self, jobs: Iterable[Job]) -> None:
        self._queue.put_back(jobs)
        self._wake.set()


def _now() -> float:
    return asyncio.get_running_loop().time()
