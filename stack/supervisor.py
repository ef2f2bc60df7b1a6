"""Keeps processes running: starts them, restarts them when they end, and stops them in order."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stack.faults import StackError
from stack.launch import command_for

# A process that lives this long has started successfully, in seconds.
_HEALTHY_AFTER_S = 5.0
# The pauses before the restarts of a process that keeps failing.
_BACK_OFF_S = (0.0, 0.1, 0.3, 1.0, 2.0, 5.0)
# If a process fails this often while the stack starts, the start has failed.
_HOPELESS_AFTER = 3
_LOG_LIMIT_BYTES = 16 * 1024 * 1024
_LOG_CHECK_S = 5.0


@dataclass(frozen=True)
class Spec:
    """A process to keep running. environment: complete. user: to run as; empty: the current one. niceness: 0 to 19."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    user: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    # The signal that the kernel sends when the supervisor dies.
    death_signal: signal.Signals = signal.SIGKILL
    folder: str = "/"
    niceness: int = 0


@dataclass
class Child:
    """A process that is kept running, and its current instance."""

    spec: Spec
    log: Path
    pid: int = 0
    starts: int = 0
    failures: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    def signal(self, number: int) -> None:
        """Send a signal to the process, if it lives."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Supervisor:
    """The parent of all processes. report: called with lines for the user. on_change: called when a pid changes."""

    def __init__(self, logs: Path, report: Callable[[str], None], on_change: Callable[[], None]) -> None:
        self._logs = logs
        self._report = report
        self._on_change = on_change
        self._hopeless: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._starting = True
        self._janitor = asyncio.create_task(self._bound_logs())
        self.children: dict[str, Child] = {}

    def start(self, spec: Spec) -> Child:
        """Start a process and keep it running until stop()."""
        log = self._logs / f"{spec.name}.log"
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        child = Child(spec, log)
        self.children[spec.name] = child
        child.task = asyncio.create_task(self._keep(child), name=spec.name)
        return child

    def started(self) -> None:
        """Note that the stack has started. From now on, failing processes are restarted for ever."""
        self._starting = False

    async def unless_hopeless(self, work: Coroutine[Any, Any, None]) -> None:
        """Await work. Raises StackError if a process keeps failing while the stack starts."""
        task = asyncio.ensure_future(work)
        try:
            either: set[asyncio.Future[Any]] = {task, self._hopeless}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise StackError(self._hopeless.result())
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop(self, names: Iterable[str], deadline: float) -> None:
        """Stop these processes, and kill them after deadline seconds."""
        children = [self.children[name] for name in names if name in self.children]
        for child in children:
            child.stopping.set()
            child.signal(child.spec.stop_signal)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                await asyncio.gather(*[child.ended.wait() for child in children])
        for child in children:
            if not child.ended.is_set():
                self._report(f"{child.spec.name} did not stop within {deadline:.0f} s and was killed")
        await self._kill(children)

    async def restart(self, name: str, deadline: float) -> None:
        """Stop a process, or kill it after deadline seconds. It is restarted like after a crash."""
        child = self.children[name]
        pid = child.pid
        child.signal(child.spec.stop_signal)
        until = time.monotonic() + deadline
        while pid and child.pid == pid:
            if time.monotonic() > until:
                child.signal(signal.SIGKILL)
                return
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        """Kill all processes that are left."""
        await self._kill(list(self.children.values()))
        self._janitor.cancel()
        await asyncio.gather(self._janitor, return_exceptions=True)

    async def _kill(self, children: Iterable[Child]) -> None:
        gone = list(children)
        for child in gone:
            child.stopping.set()
            if not child.ended.is_set():
                child.signal(signal.SIGKILL)
        await asyncio.gather(*[child.ended.wait() for child in gone])
        for child in gone:
            self.children.pop(child.spec.name, None)
        self._on_change()

    async def _keep(self, child: Child) -> None:
        try:
            while not child.stopping.is_set():
                began = time.monotonic()
                status = await self._live(child)
                if child.stopping.is_set():
                    return
                child.failures = 0 if time.monotonic() - began > _HEALTHY_AFTER_S else child.failures + 1
                self._report(f"{child.spec.name} ended ({_describe(status)}): restarting it")
                if self._starting and child.failures >= _HOPELESS_AFTER and not self._hopeless.done():
                    self._hopeless.set_result(f"{child.spec.name} cannot start: {last_words(child.log)}.")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_BACK_OFF_S[min(child.failures, len(_BACK_OFF_S) - 1)]):
                        await child.stopping.wait()
        finally:
            child.ended.set()

    async def _live(self, child: Child) -> int:
        spec = child.spec
        command = command_for(spec.command, death_signal=spec.death_signal, user=spec.user, niceness=spec.niceness)
        with child.log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=spec.folder,
                env=spec.environment,
                start_new_session=True,  # Ctrl-C in the terminal must reach only us: we stop them in order
            )
        child.pid = process.pid
        child.starts += 1
        if child.stopping.is_set():  # stop() was called while it was being started
            child.signal(signal.SIGKILL)
        self._on_change()
        status = await process.wait()
        child.pid = 0
        return status

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK_S)
            for child in list(self.children.values()):
                with contextlib.suppress(OSError):
                    if child.log.stat().st_size > _LOG_LIMIT_BYTES:
                        # The process appends to its open file: copy the file, then truncate it.
                        shutil.copyfile(child.log, child.log.with_suffix(".log.1"))
                        os.truncate(child.log, 0)


def last_words(log: Path) -> str:
    """Return the line of a log that explains best why the process ended: its last error, or its last line."""
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    errors = [line for line in lines if '"level":"error"' in line]
    said = _sentence((errors or lines or ["it said nothing"])[-1])
    return f"{said[:300].rstrip('.')} (see {log})"


def _sentence(line: str) -> str:
    """Return the message of a JSON log line, or any other line unchanged."""
    try:
        fields = json.loads(line)
        return f"{fields['event']}: {fields['error']}" if "error" in fields else str(fields["event"])
    except (ValueError, KeyError, TypeError):
        return line


def _describe(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"
