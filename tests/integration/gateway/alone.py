"""A real gateway process without the services behind it: enough for all that happens before a request is handled."""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from stack import processes
from stack.launch import command_for
from tests.conftest import free_port
from tests.waiting import eventually

# Answered by the gateway itself.
PATH = "/openapi.json"
_NOWHERE = "127.0.0.1:1"


@dataclass
class Alone:
    """The process and where it listens."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def memory(self, kind: str) -> int:
        """Return VmRSS (now) or VmHWM (the highest so far), bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {kind}")

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)


@contextlib.asynccontextmanager
async def alone(folder: Path, **settings: str) -> AsyncIterator[Alone]:
    """Run a gateway until the block ends. settings: further CLARION_ variables by their names."""
    port = free_port()
    environment = {
        **os.environ,
        "CLARION_HTTP_ADDRESS": f"127.0.0.1:{port}",
        "CLARION_ADMIN_TOKEN": "an-admin-token-of-tests",
        "CLARION_SERVICE_TOKEN": "a-service-token-of-tests",
        "CLARION_CENTRIFUGO_URL": f"http://{_NOWHERE}",
        **{f"CLARION_{role.upper()}_ADDRESS": _NOWHERE for role in processes.SERVICES},
        **settings,
    }
    log = folder / f"gateway-{port}.log"
    process = _start(environment, log)
    gateway = Alone(process, port, log)
    try:
        await eventually(lambda: _answers(gateway), 60)
        yield gateway
    finally:
        process.kill()
        await asyncio.to_thread(process.wait)


def _start(environment: dict[str, str], log: Path) -> "subprocess.Popen[bytes]":
    command = command_for(processes.command("gateway"), death_signal=signal.SIGKILL)
    with log.open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=processes.ROOT)


async def _answers(gateway: Alone) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(gateway.url + PATH) as answer:
            return answer.status == 200
    except aiohttp.ClientConnectionError:
        return False
