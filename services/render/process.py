"""One worker process, seen from the service."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import msgspec

from services.domain.reasons import Reason
from services.render import frames
from services.render.blame import Death
from services.render.frames import Task, WorkerLimits, WorkerReply
from services.render.jobs import Job

WORKER = "services.render.worker"

# Without the module site, which takes a third of the start-up time and some megabytes. The path is passed instead.
_BOOT = "import sys; sys.path[:] = sys.argv[2:-1]; __import__(sys.argv[1], fromlist=['main']).main()"
_ROOT = str(Path(__file__).parents[2])
_START_S = 15.0
# A worker that the machine does not let run is not hung, and may be silent for so long. The kernel ends it by its
# processor time.
_STARVED_S = 30.0
_WAITS_FOR_THE_MACHINE = frozenset("RD")
_BUFFER = 1024 * 1024
# Versions that a worker is taken to know: more than it keeps.
_MAX_KNOWN = 4096

_decode = msgspec.msgpack.Decoder(WorkerReply).decode


class WorkerDiedError(Exception):
    """The process ended, or was ended because it was silent for too long."""

    def __init__(self, death: Death) -> None:
        super().__init__(f"{death.reason}: {death.detail}")
        self.death = death


class WorkerProcess:
    """A started worker. silence: seconds after which it is killed if it could run and sends nothing."""

    def __init__(self, process: Process, silence: float) -> None:
        self._process = process
        self._silence = silence
        self._is_silent = False
        self._timer: asyncio.TimerHandle
        # The ids of the versions that it was sent.
        self.known: set[str] = set()

    @classmethod
    async def start(cls, limits: WorkerLimits, *, module: str = WORKER) -> "WorkerProcess":
        """Start a worker and wait until it is ready. Raises WorkerDiedError, OSError.

        It gets no environment, so there is no secret that a template could reach.
        """
        path = [_ROOT, *(entry for entry in sys.path if entry and entry != _ROOT)]
        arguments = ["-I", "-S", "-c", _BOOT, module, *path, msgspec.json.encode(limits).decode()]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=PIPE, stdout=PIPE, stderr=None, env={}, cwd="/", limit=_BUFFER
        )
        worker = cls(process, _START_S)
        try:
            await worker.receive()
        except BaseException:
            await worker.end()
            raise
        worker._silence = max(2.0, limits.cpu_s * 6)
        return worker

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def task(self, job: Job) -> Task:
        """Return the message for a job: with its template's source if the worker does not know the version yet."""
        task = job.task(self.known)
        if job.version_id:
            if len(self.known) >= _MAX_KNOWN:
                self.known.clear()  # it gets them again
            self.known.add(job.version_id)
        return task

    def send(self, work: frames.WorkerRequest) -> None:
        """Send work. receive() finds out if the worker is dead."""
        if self._process.stdin is not None:
            self._process.stdin.write(frames.pack(work))

    async def receive(self) -> WorkerReply:
        """Return the next message. Raises WorkerDiedError."""
        stream = self._process.stdout
        if stream is None:
            raise WorkerDiedError(Death(Reason.RENDER_CRASHED, "the worker has no output"))
        self._watch(0.0)
        try:
            head = await stream.readexactly(frames.LENGTH_BYTES)
            return _decode(await stream.readexactly(int.from_bytes(head, "big")))
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            status = await self.end()
            if self._is_silent:
                raise WorkerDiedError(Death(Reason.RENDER_TIMEOUT, "the worker did not answer and was ended")) from None
            raise WorkerDiedError(_cause(status)) from None
        finally:
            self._timer.cancel()

    def _watch(self, waited: float) -> None:
        """Kill the worker if it stays silent. It gets more time while the machine is too busy to let it run."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._silence, self._end_silent, waited + self._silence)

    def _end_silent(self, waited: float) -> None:
        if waited < _STARVED_S and _state(self.pid) in _WAITS_FOR_THE_MACHINE:
            self._watch(waited)
        elif self._process.returncode is None:
            self._is_silent = True
            self._process.kill()

    async def end(self, grace: float = 0.2) -> int:
        """Kill it unless it ends by itself within grace seconds; return its exit status."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(grace):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()


def _state(pid: int) -> str:
    """Return a process's state as the kernel names it, such as R: it runs, or would if it had a processor."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][:1]
    except OSError:
        return ""


def _cause(status: int) -> Death:
    """Return what an exit status says."""
    if status == -signal.SIGPROF:
        return Death(Reason.RENDER_TIMEOUT, "more processor time than allowed")
    if status == -signal.SIGABRT:
        return Death(Reason.RENDER_MEMORY, "more memory than allowed")
    if status < 0:
        name = signal.Signals(-status).name
        return Death(Reason.RENDER_CRASHED, f"the worker died of {name}", may_be_external=status == -signal.SIGKILL)
    return Death(Reason.RENDER_CRASHED, f"the worker ended with status {status}")
