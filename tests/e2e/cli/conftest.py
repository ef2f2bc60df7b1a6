"""The command as a person runs it: a process of its own, with the environment of the shared stack."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from checks.client import Client
from stack.client import Running

_DEADLINE_S = 60.0


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[Any]:
        """The lines of its output as JSON."""
        return [orjson.loads(line) for line in self.out.splitlines()]


Clarion = Callable[..., Awaitable[Ended]]


@pytest.fixture
def clarion(shared_stack: Running, client: Client) -> Clarion:
    """Run `clarion` with arguments. environment: variables in place of the stack's."""

    async def run(*arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
        variables = {
            "CLARION_URL": shared_stack.url,
            "CLARION_ADMIN_TOKEN": shared_stack.variables["CLARION_ADMIN_TOKEN"],
            "CLARION_TENANT_ID": client.tenant.id,
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **variables, **(environment or {})},
        )
        try:
            async with asyncio.timeout(_DEADLINE_S):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            raise
        return Ended(process.returncode or 0, out.decode(), err.decode())

    return run
