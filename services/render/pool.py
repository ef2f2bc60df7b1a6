"""The workers: a queue before them, a restart behind each death, and the culprit found.

What waits, whoever asked for it, goes to a worker in frames. When a worker dies with several items
unanswered, they are sent again with the order to answer each before the next begins; the one that
kills the worker once more is thereby named, and the others are rendered.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from runtime import logs
from services.domain.reasons import Reason
from services.render import frames
from services.render.frames import Answer, Limits, Source, Task, Work
from services.render.process import WORKER, WorkerDiedError, WorkerProcess

_FRAME_ITEMS = 64
_FRAME_BYTES = 512 * 1024
_MAX_WAITING = 20_000
# How long a version that failed by time, memory or crash waits behind all others, seconds.
_SUSPICION_S = 60.0
_MAX_SUSPECTS = 1000
# So that suspects move on a busy day too, one has a turn each so many seconds: a worker's quarter, if it is as heavy.
_SUSPECT_TURN_S = 2.0
# So long, seconds, suspects keep their batch waiting; only the first of all waits for its turn.
_PATIENCE_S = 1.0
_KILLERS = frozenset((Reason.RENDER_TIMEOUT, Reason.RENDER_MEMORY, Reason.RENDER_CRASHED))
# An item whose worker was killed from outside is tried this often.
_CHANCES = 3

log = logs.get(__name__)


class BusyError(Exception):
    """Too much waits already."""


class _Batch:
    """What one caller waits for."""

    __slots__ = ("abandoned", "answers", "done", "left")

    def __init__(self, size: int) -> None:
        self.answers: list[Answer | None] = [None] * size
        self.left = size
        self.abandoned = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Job:
    """One item on its way."""

    __slots__ = (
        "batch",
        "careful",
        "deaths",
        "fallback",
        "index",
        "kind",
        "put_behind_at",
        "source",
        "variables",
        "version_id",
    )

    def __init__(
        self,
        source: Source,
        *,
        version_id: str = "",
        variables: bytes = b"",
        fallback: bytes = b"",
        kind: int = frames.RENDER,
    ) -> None:
        self.kind = kind
        self.version_id = version_id
        self.source = source
        self.variables = variables
        self.fallback = fallback
        self.careful = False
        self.deaths = 0
        self.index = 0
        self.put_behind_at = 0.0
        self.batch: _Batch | None = None

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.batch is None or self.batch.abandoned

    def task(self, known: set[str]) -> Task:
        """Return it as sent to a worker that knows these versions."""
        source = None if self.version_id in known else self.source
        return Task(self.kind, self.version_id, source, self.variables, self.fallback)

    def size(self, known: set[str]) -> int:
        """Bytes, roughly, as sent to a worker that knows these versions."""
        source = 0 if self.version_id in known else self.source.size
        return len(self.variables) + len(self.fallback) + source

    def settle(self, answer: Answer | None) -> None:
        """Hand the answer to whoever waits; None: it had no turn."""
        batch = self.batch
        if batch is None or batch.answers[self.index] is not None:
            return
        batch.answers[self.index] = answer
        batch.left -= 1
        if batch.left == 0 and not batch.done.done():
            batch.done.set_result(None)


class Pool:
    """Runs jobs in worker processes. on_restart: told the reason of each worker's death."""

    def __init__(
        self, limits: Limits, *, workers: int, on_restart: Callable[[str], None], module: str = WORKER
    ) -> None:
        self._limits = limits
        self._count = workers
        self._on_restart = on_restart
        self._module = module
        self._normal: deque[Job] = deque()
        self._suspect: deque[Job] = deque()
        self._suspicion: dict[str, float] = {}
        self._suspect_turn_at = 0.0
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()
        self._workers: dict[int, WorkerProcess] = {}

    @property
    def pids(self) -> list[int]:
        """The process ids of the living workers."""
        return [worker.pid for worker in self._workers.values()]

    async def run(self, jobs: Sequence[Job], budget: float) -> list[Answer | None]:
        """Return an answer per job, in order; None for one that had no turn within budget seconds.

        A suspect version's jobs may be without a turn sooner, so that the others need not wait for them.
        Raises BusyError.
        """
        if not jobs:
            return []
        if len(self._normal) + len(self._suspect) > _MAX_WAITING:
            raise BusyError
        batch = _Batch(len(jobs))
        for index, job in enumerate(jobs):
            job.batch, job.index = batch, index
        self._normal.extend(jobs)
        self._wake.set()
        try:
            async with asyncio.timeout(budget):
                await batch.done
        except TimeoutError:
            pass
        finally:
            batch.abandoned = True
        return batch.answers

    def is_suspect(self, version_id: str) -> bool:
        """Tell whether the version lately killed a worker, or nearly."""
        until = self._suspicion.get(version_id)
        if until is None:
            return False
        if until < asyncio.get_running_loop().time():
            del self._suspicion[version_id]
            return False
        return True

    async def ready(self) -> None:
        """Wait for the first worker."""
        await self._ready.wait()

    async def serve(self) -> None:
        """Keep the workers at work, for ever; they end when this is cancelled."""
        async with asyncio.TaskGroup() as group:
            for slot in range(self._count):
                group.create_task(self._serve_one(slot), name=f"worker-{slot}")

    async def _serve_one(self, slot: int) -> None:
        delay = 0.0
        while True:
            try:
                worker = await WorkerProcess.start(self._limits, module=self._module)
            except (WorkerDiedError, OSError) as error:
                delay = min(delay * 2 + 0.1, 5.0)
                log.error("worker_does_not_start", error=str(error), retry_s=delay)
                await asyncio.sleep(delay)
                continue
            delay = 0.0
            self._workers[slot] = worker
            self._ready.set()
            try:
                await self._feed(worker)
            except WorkerDiedError as death:
                self._on_restart(death.reason)
                log.warning("worker_died", reason=death.reason, detail=death.detail, pid=worker.pid)
            finally:
                del self._workers[slot]
                await worker.end(grace=0)

    async def _feed(self, worker: WorkerProcess) -> None:
        while True:
            while not (jobs := self._take(worker.known)):
                self._wake.clear()
                await self._wake.wait()
            await self._exchange(worker, jobs)

    def _take(self, known: set[str]) -> list[Job]:
        """Return the jobs of the next frame, for a worker that knows these versions: all careful, or none.

        Nothing only where nothing waits: whoever gets nothing sleeps until something new comes.
        """
        if self._suspect:
            self._thin_out_suspects()
            if asyncio.get_running_loop().time() >= self._suspect_turn_at and self._suspect:
                return self._take_suspect()
        taken: list[Job] = []
        size = 0
        while self._normal and len(taken) < _FRAME_ITEMS and size < _FRAME_BYTES:
            job = self._normal[0]
            if taken and taken[0].careful != job.careful:
                break
            self._normal.popleft()
            if job.is_abandoned:
                continue
            if self._suspicion and self.is_suspect(job.version_id):
                job.put_behind_at = asyncio.get_running_loop().time()
                self._suspect.append(job)
                continue
            taken.append(job)
            size += job.size(known)
        return taken or self._take_suspect()

    def _take_suspect(self) -> list[Job]:
        if not self._suspect:
            return []
        self._suspect_turn_at = asyncio.get_running_loop().time() + _SUSPECT_TURN_S
        return [self._suspect.popleft()]

    def _thin_out_suspects(self) -> None:
        """Let go of suspects that nobody waits for, and of those that wait too long behind the first."""
        suspects = self._suspect
        while suspects and suspects[0].is_abandoned:
            suspects.popleft()
        if len(suspects) <= 1:
            return
        first = suspects.popleft()
        late = asyncio.get_running_loop().time() - _PATIENCE_S
        while suspects and suspects[0].put_behind_at < late:
            suspects.popleft().settle(None)
        suspects.appendleft(first)

    async def _exchange(self, worker: WorkerProcess, jobs: list[Job]) -> None:
        careful = jobs[0].careful
        tasks = []
        for job in jobs:
            tasks.append(job.task(worker.known))
            if job.version_id:
                worker.known.add(job.version_id)
        worker.send(Work(tasks, careful))
        answered = 0
        try:
            done = False
            while not done:
                progress = await worker.receive()
                for answer in progress.answers:
                    self._settle(worker, jobs[answered], answer)
                    answered += 1
                done = progress.done
        except WorkerDiedError as death:
            self._blame(jobs[answered:], death, careful=careful)
            raise
        except BaseException:
            self._again(jobs[answered:])
            raise
        self._again(jobs[answered:])

    def _settle(self, worker: WorkerProcess, job: Job, answer: Answer) -> None:
        if answer.outcome == frames.NEEDS_SOURCE:
            worker.known.discard(job.version_id)
            self._again([job])
            return
        if answer.outcome in _KILLERS:
            self._suspect_version(job.version_id)
        job.settle(answer)

    def _blame(self, jobs: list[Job], death: WorkerDiedError, *, careful: bool) -> None:
        """Settle the job that ended its worker, where it is certain; send the others again."""
        if not jobs:
            return
        if not careful and len(jobs) > 1:
            for job in jobs:
                job.careful = True
            self._again(jobs)
            return
        culprit = jobs[0]
        culprit.deaths += 1
        if death.by_chance and culprit.deaths < _CHANCES:
            self._again(jobs)
            return
        self._suspect_version(culprit.version_id)
        culprit.settle(Answer(death.reason, detail=death.detail))
        self._again(jobs[1:])

    def _again(self, jobs: list[Job]) -> None:
        self._normal.extendleft(reversed(jobs))
        self._wake.set()

    def _suspect_version(self, version_id: str) -> None:
        if not version_id:
            return
        while len(self._suspicion) >= _MAX_SUSPECTS:
            del self._suspicion[next(iter(self._suspicion))]
        self._suspicion.pop(version_id, None)
        self._suspicion[version_id] = asyncio.get_running_loop().time() + _SUSPICION_S
