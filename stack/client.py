"""Starts a local stack from another process, or finds a running one: for tests, smoke, chaos and bench.

The stack is its own process, `python -m stack`: it outlives event loops, and what it measures of memory and
processor time is not mixed with the caller's.
"""

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from stack import pages, processes
from stack.faults import StackError
from stack.launch import command_for
from stack.local import Options
from stack.state import ProcessState, StackState
from stack.supervisor import last_words

_STOP_DEADLINE_S = 30.0


class Running:
    """A running stack, described by its stack.json. Every property reads the file again."""

    def __init__(self, data: Path, process: "subprocess.Popen[bytes] | None" = None) -> None:
        self.data = data.resolve()
        self._process = process

    @property
    def state(self) -> StackState:
        """The content of stack.json. Raises StackError if no stack is running."""
        try:
            state = msgspec.json.decode((self.data / "stack.json").read_bytes(), type=StackState)
            os.kill(state.pid, 0)  # a killed supervisor leaves its file behind
        except (OSError, msgspec.DecodeError) as error:
            raise StackError(f"No stack is running in {self.data}. Start one with `make run`.") from error
        return state

    @property
    def supervisor_pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid if self._process else self.state.pid

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self.state.url

    @property
    def api_key(self) -> str:
        """The demo tenant's key."""
        return self.state.api_key

    @property
    def variables(self) -> dict[str, str]:
        """The CLARION_ variables of the stack."""
        return self.state.variables

    def process(self, name: str) -> ProcessState:
        """Return a process by its name ("ingest", "ingest-2", "postgres", "nats", "hub", "mail", ...)."""
        return self.state.processes[name]

    def pid(self, name: str) -> int:
        """Return the id of a process, 0 while it is being restarted."""
        return self.process(name).pid

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal to a process. Return its number of starts, for wait_restarted()."""
        process = self.process(name)
        if not process.pid:
            raise StackError(f"{name} is not running.")
        os.kill(process.pid, number)
        return process.starts

    async def wait_restarted(self, name: str, starts: int, deadline: float = 30.0) -> None:
        """Wait until a process has more than `starts` starts. Raises StackError after deadline seconds."""
        until = time.monotonic() + deadline
        while (process := self.process(name)).starts <= starts or not process.pid:
            if time.monotonic() > until:
                raise StackError(f"{name} did not restart within {deadline:.0f} s.")
            await asyncio.sleep(0.02)

    def stop(self) -> int:
        """Stop a stack that start() started, like Ctrl-C. Return its exit status."""
        if self._process is None:
            raise StackError("This stack was started by another process. Stop it there.")
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            return self._process.wait(_STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise StackError(f"The stack in {self.data} did not stop within {_STOP_DEADLINE_S:.0f} s.") from None


def start(options: Options, *, environment: Mapping[str, str] | None = None, deadline: float = 180.0) -> Running:
    """Start a stack and wait until it is ready. Blocking.

    environment: further variables for all its processes. Its output is in <data>/run.log. Raises StackError.
    deadline: in seconds, without the time to build the console and the like, which happens once in a checkout.
    """
    if not pages.are_ready():
        pages.prepare()  # if it fails, the stack says so, and starts
    options.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = options.data / "run.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command_for(processes.command("stack"), death_signal=signal.SIGTERM),
            stdout=output,
            stderr=output,
            cwd=processes.ROOT,
            env={**os.environ, **options.environment(), **(environment or {})},
            start_new_session=True,
        )
    running = Running(options.data, process)
    until = time.monotonic() + deadline
    while not _is_ready(running):
        if process.poll() is not None:
            raise StackError(f"The stack did not start: {last_words(log)}.")
        if time.monotonic() > until:
            running.stop()
            raise StackError(f"The stack was not ready within {deadline:.0f} s: {last_words(log)}.")
        time.sleep(0.05)
    return running


@contextlib.contextmanager
def started(
    options: Options, *, environment: Mapping[str, str] | None = None, deadline: float = 180.0
) -> Iterator[Running]:
    """Start a stack for the length of a ``with`` block; see start(). Blocking."""
    running = start(options, environment=environment, deadline=deadline)
    try:
        yield running
    finally:
        running.stop()


@asynccontextmanager
async def run(
    options: Options, *, environment: Mapping[str, str] | None = None, deadline: float = 180.0
) -> AsyncIterator[Running]:
    """Start a stack for the length of an ``async with`` block; see start()."""
    running = await asyncio.to_thread(start, options, environment=environment, deadline=deadline)
    try:
        yield running
    finally:
        await asyncio.to_thread(running.stop)


def _is_ready(running: Running) -> bool:
    with contextlib.suppress(StackError):
        state = running.state
        return state.ready and state.pid == running.supervisor_pid
    return False


def shell_exports(state: StackState, names: Sequence[str]) -> str:
    """Return lines for a shell that set these variables of a stack: what its services read, and what its callers do.

    No names: all that the services read. Raises StackError for an unknown name.
    """
    of_callers = {
        "CLARION_URL": state.url,
        "CLARION_TENANT_ID": state.tenant_id,
        "CLARION_API_KEY": state.api_key,
    }
    known = {**state.variables, **of_callers}
    if unknown := [name for name in names if name not in known]:
        raise StackError(f"{unknown[0]} is unknown. Known are {', '.join(sorted(known))}.")
    return "".join(f"export {name}={shlex.quote(known[name])}\n" for name in names or state.variables)


def main() -> None:
    """Print variables of a running stack for a shell: ``eval "$(python -m stack.client CLARION_URL ...)"``."""
    try:
        state = Running(Options.from_environment(os.environ).data).state
        print(shell_exports(state, sys.argv[1:]), end="")
    except StackError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
