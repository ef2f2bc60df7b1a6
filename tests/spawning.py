"""Services as processes of their own, which end with the tests' process at the latest."""

import atexit
import functools
import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Protocol

from stack.launch import command_for
from tests import forking

ROOT = Path(__file__).parents[1]


class Process(Protocol):
    """What tests use of subprocess.Popen."""

    @property
    def pid(self) -> int:
        """Its number."""

    def send_signal(self, sig: int, /) -> None:
        """Send a signal, unless it has ended."""

    def kill(self) -> None:
        """End it as kill -9 does."""

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait, for some seconds at most, and return the exit status. Raises subprocess.TimeoutExpired."""


def spawn(module: str, environment: dict[str, str], log: Path) -> Process:
    """Start a service of ours; what it says goes to the end of the log."""
    variables = {**os.environ, **environment}
    if module in forking.MODULES and hasattr(os, "pidfd_open"):
        return _forker().start(module, variables, log)
    command = command_for([sys.executable, "-m", module], death_signal=signal.SIGKILL)
    with log.open("ab") as output:
        return subprocess.Popen(command, cwd=ROOT, env=variables, stdout=output, stderr=output)


class _Forker:
    """The process in which all services are imported already."""

    def __init__(self) -> None:
        command = command_for([sys.executable, "-m", "tests.forking"], death_signal=signal.SIGKILL)
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lock = threading.Lock()
        atexit.register(self._process.kill)

    def start(self, module: str, variables: dict[str, str], log: Path) -> "_Forked":
        """Start a service."""
        return _Forked(self, self._ask(start=module, environment=variables, log=str(log))["pid"])

    def reap(self, pid: int) -> int:
        """Return the exit status of a service that has ended."""
        return self._ask(reap=pid)["status"]

    def _ask(self, **request: Any) -> dict[str, int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer


@functools.cache
def _forker() -> _Forker:
    return _Forker()


class _Forked:
    """A service that was forked."""

    def __init__(self, forker: _Forker, pid: int) -> None:
        self.pid = pid
        self._forker = forker
        self._descriptor = os.pidfd_open(pid)
        self._status: int | None = None

    def send_signal(self, sig: int, /) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, sig)

    def kill(self) -> None:
        """End it as kill -9 does."""
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        return self._status if self._has_ended(0) else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait, for some seconds at most, and return the exit status. Raises subprocess.TimeoutExpired."""
        if not self._has_ended(timeout) or self._status is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return self._status

    def _has_ended(self, timeout: float | None) -> bool:
        if self._status is not None:
            return True
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLIN)
        if not waiting.poll(None if timeout is None else timeout * 1000):
            return False
        self._status = self._forker.reap(self.pid)
        os.close(self._descriptor)
        return True
