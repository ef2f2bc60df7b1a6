"""The order in which jobs go to the workers. No processes, no clock: "now" is passed in, in seconds of a steady clock.

A suspect version's jobs stand in a line of their own, behind all others, so that one heavy template does not hold up
the rest. They move on all the same: one of them is taken every few seconds, or when nothing else waits.
"""

from collections import deque
from collections.abc import Iterable

from services.render.jobs import Job
from services.render.suspicion import Suspicion

MAX_FRAME_JOBS = 64
_MAX_FRAME_BYTES = 512 * 1024
# Seconds between two suspect jobs while others wait. A job may take half a second: that is a quarter of one worker.
SUSPECT_EVERY_S = 2.0
# A suspect job that waited for so many seconds behind another one is given up, so that its batch need not wait for it.
PATIENCE_S = 1.0


class JobQueue:
    """The jobs that wait."""

    def __init__(self) -> None:
        self._ready: deque[Job] = deque()
        self._set_aside: deque[Job] = deque()
        self._suspicion = Suspicion()
        self._next_suspect_at = 0.0

    def __len__(self) -> int:
        return len(self._ready) + len(self._set_aside)

    def add(self, jobs: Iterable[Job]) -> None:
        """Put jobs at the end."""
        self._ready.extend(jobs)

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Put jobs that were taken at the front again, in this order."""
        self._ready.extendleft(reversed(list(jobs)))

    def suspect(self, version_id: str, now: float) -> None:
        """Let this version's jobs wait behind all others for a while."""
        self._suspicion.add(version_id, now)

    def is_suspect(self, version_id: str, now: float) -> bool:
        """Return whether this version's jobs wait behind all others."""
        return self._suspicion.includes(version_id, now)

    def take(self, known: set[str], now: float) -> list[Job]:
        """Take the jobs of the next frame for a worker that knows these versions. Empty only if none wait.

        Either all of them are to be answered one by one, or none is.
        """
        if self._set_aside:
            self._give_up_late(now)
            if self._set_aside and now >= self._next_suspect_at:
                return self._take_suspect(now)
        return self._take_ready(known, now) or self._take_suspect(now)

    def _take_ready(self, known: set[str], now: float) -> list[Job]:
        taken: list[Job] = []
        size = 0
        while self._ready and len(taken) < MAX_FRAME_JOBS and size < _MAX_FRAME_BYTES:
            job = self._ready[0]
            if taken and taken[0].one_by_one != job.one_by_one:
                break
            self._ready.popleft()
            if job.is_abandoned:
                continue
            if self._suspicion and self.is_suspect(job.version_id, now):
                job.set_aside_at = now
                self._set_aside.append(job)
                continue
            taken.append(job)
            size += job.size(known)
        return taken

    def _take_suspect(self, now: float) -> list[Job]:
        if not self._set_aside:
            return []
        self._next_suspect_at = now + SUSPECT_EVERY_S
        return [self._set_aside.popleft()]

    def _give_up_late(self, now: float) -> None:
        """Drop suspect jobs without a waiting caller. Settle those that wait too long behind the first one."""
        jobs = self._set_aside
        while jobs and jobs[0].is_abandoned:
            jobs.popleft()
        if len(jobs) <= 1:
            return
        first = jobs.popleft()
        while jobs and jobs[0].set_aside_at < now - PATIENCE_S:
            jobs.popleft().settle(None)
        jobs.appendleft(first)
