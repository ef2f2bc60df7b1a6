"""The life of a service process: start, report SERVING, drain on SIGTERM, end within ten seconds."""

import asyncio
import contextlib
import functools
import gc
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import msgspec
import uvloop

from runtime import logs, telemetry, tracing
from runtime.errors import ClarionError
from runtime.settings import Secret, load_or_exit

# The three parts of the shutdown, ten seconds together: work in progress, loops, connections.
DRAIN_S = 8.0
_LOOPS_S = 0.5
_CLOSE_S = 1.5
# Part of the last one: the export of remaining spans.
_FLUSH_S = 1.0

log = logs.get(__name__)


class CommonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of every process."""

    # The token with which the services authenticate to each other.
    service_token: Secret
    # Address of the /metrics page, host:port; empty: there is none.
    metrics_address: str = ""
    log_level: str = "info"


class ProcessSettings(CommonSettings, frozen=True, kw_only=True):
    """The settings of every service with a gRPC server. Extend it."""

    # Address of the gRPC server, host:port.
    grpc_address: str


class ProcessServer(Protocol):
    """The server of a process: runtime.grpc.GrpcServer, or an HTTP server with the same methods."""

    async def set_serving(self, *, serving: bool) -> None:
        """Report to health checks whether the server accepts calls."""

    async def stop(self, grace: float) -> None:
        """Refuse new calls and wait up to grace seconds for those in progress."""


class Process:
    """Collects the loops and shutdown callbacks of a service.

    Drain callbacks run in the order of registration: first stop the intake, then finish the work in progress.
    Close callbacks run afterwards, last registered first.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._drain: list[Callable[[], Awaitable[None]]] = []
        self._close = contextlib.AsyncExitStack()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None

    def on_drain(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Register a callback for when the process is asked to stop."""
        self._drain.append(callback)

    def on_close(self, callback: Callable[[], Awaitable[Any]]) -> None:
        """Register a callback for after the drain."""
        self._close.push_async_callback(callback)

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> "asyncio.Task[None]":
        """Run a loop for the life of the process. If it fails, the process ends and its supervisor restarts it."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", task=task.get_name(), error=repr(error), exc_info=error)
            self._failure = error
            self._stop.set()

    async def serve(self, server: ProcessServer) -> int:
        """Report SERVING, wait for SIGTERM or SIGINT, drain and close; return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        _spare_the_collector()
        await server.set_serving(serving=True)
        log.info("serving", pid=os.getpid())
        await self._stop.wait()
        started = time.perf_counter()
        await server.set_serving(serving=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                # Callers see NOT_SERVING and HTTP/2's GOAWAY; calls in progress finish.
                await server.stop(grace=DRAIN_S / 2)
                for callback in self._drain:
                    await _tried(callback)
        await self.end()
        log.info("stopped", seconds=round(time.perf_counter() - started, 3))
        return 1 if self._failure else 0

    async def end(self) -> None:
        """End the loops, and close what was opened. What does not end within its time is left as it is."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_LOOPS_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._close.aclose()


async def _tried(callback: Callable[[], Awaitable[None]]) -> None:
    """Run a drain callback. A failure, such as that of a loop it waits for, must not prevent the other callbacks."""
    try:
        await callback()
    except Exception as error:
        log.error("drain_failed", error=repr(error))


def _spare_the_collector() -> None:
    """Exclude the objects that exist at the start from garbage collection, and collect less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def run(
    name: str,
    settings_type: type[Any],
    wire: Callable[[Any, Process], Awaitable[ProcessServer]],
) -> None:
    """Run a service: read its settings, wire it, serve until it is asked to stop. Does not return."""
    settings = load_or_exit(settings_type)
    logs.configure(name, settings.log_level)

    async def main() -> None:
        process = Process(name)
        status = 1
        tracing.start(name, os.environ)
        process.on_close(functools.partial(tracing.stop, _FLUSH_S))  # the last of all
        telemetry.serve_metrics(settings.metrics_address)
        try:
            server = await wire(settings, process)
        except (ClarionError, OSError) as error:
            log.error("cannot_start", error=str(error))
            print(f"{name} cannot start: {error}", file=sys.stderr)
            await process.end()
        else:
            status = await process.serve(server)
        await asyncio.sleep(0)  # the last lines of the log are written in the loop's next turn
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        # Here: uvloop.run() would wait for a loop that does not end, and the interpreter for gRPC's threads.
        os._exit(status)

    uvloop.run(main())
