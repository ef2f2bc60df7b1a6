"""One worker process, seen from the service."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import msgspec

from services.domain.reasons import Reason
from services.render import frames
from services.render.frames import Limits, Progress

WORKER = "services.render.worker"

# Without site: a third of the start-up time and some megabytes. The search path is handed over instead.
_BOOT = "import sys; sys.path[:] = sys.argv[2:-1]; __import__(sys.argv[1], fromlist=['main']).main()"
_ROOT = str(Path(__file__).parents[2])
_START_S = 15.0
# A worker that would run, if the machine let it, is not hung: the kernel ends it by its processor time.
_STARVED_S = 30.0
_WAITS_FOR_THE_MACHINE = frozenset("RD")
_BUFFER = 1024 * 1024

_decode = msgspec.msgpack.Decoder(Progress).decode


class WorkerDiedError(Exception):
    """The process ended, or was ended because nothing came from it. reason: as in RenderFailure."""

    def __init__(self, reason: str, detail: str, *, by_chance: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        # Something outside may have killed it: the item deserves another try.
        self.by_chance = by_chance


class WorkerProcess:
    """A started worker. silence: seconds after which a worker that says nothing, and waits for nothing, is killed."""

    def __init__(self, process: Process, silence: float) -> None:
        self._process = process
        self._silence = silence
        self._is_silent = False
        self._timer: asyncio.TimerHandle
        # The versions that it was told.
        self.known: set[str] = set()

    @classmethod
    async def start(cls, limits: Limits, *, module: str = WORKER) -> "WorkerProcess":
        """Start one and wait until it is ready. Raises WorkerDiedError, OSError.

        It gets no environment: nothing that a template could ever reach is a secret.
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

    def send(self, work: frames.Work) -> None:
        """Hand over work. A dead worker shows itself in receive()."""
        if self._process.stdin is not None:
            self._process.stdin.write(frames.pack(work))

    async def receive(self) -> Progress:
        """Return what it says next. Raises WorkerDiedError."""
        stream = self._process.stdout
        if stream is None:
            raise WorkerDiedError(Reason.RENDER_CRASHED, "the worker has no output")
        self._listen(0.0)
        try:
            head = await stream.readexactly(frames.LENGTH_BYTES)
            return _decode(await stream.readexactly(int.from_bytes(head, "big")))
        except (asyncio.IncompleteReadError, ConnectionError, msgspec.DecodeError):
            status = await self.end()
            if self._is_silent:
                raise WorkerDiedError(Reason.RENDER_TIMEOUT, "the worker did not answer and was ended") from None
            raise _cause(status) from None
        finally:
            self._timer.cancel()

    def _listen(self, waited: float) -> None:
        """Kill it if it goes on saying nothing: later where the machine is too busy to let it."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._silence, self._judge, waited + self._silence)

    def _judge(self, waited: float) -> None:
        if waited < _STARVED_S and _state(self.pid) in _WAITS_FOR_THE_MACHINE:
            self._listen(waited)
        elif self._process.returncode is None:
            self._is_silent = True
            self._process.kill()

    async def end(self, grace: float = 0.2) -> int:
        """End it, if it has not ended within grace seconds; return its exit status."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(grace):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()


def _state(pid: int) -> str:
    """Return a process's state as the kernel names it, such as R for one that runs or would."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][:1]
    except OSError:
        return ""


def _cause(status: int) -> WorkerDiedError:
    if status == -signal.SIGPROF:
        return WorkerDiedError(Reason.RENDER_TIMEOUT, "more processor time than allowed")
    if status == -signal.SIGABRT:
        return WorkerDiedError(Reason.RENDER_MEMORY, "more memory than allowed")
    if status < 0:
        name = signal.Signals(-status).name
        return WorkerDiedError(Reason.RENDER_CRASHED, f"the worker died of {name}", by_chance=status == -signal.SIGKILL)
    return WorkerDiedError(Reason.RENDER_CRASHED, f"the worker ended with status {status}")
