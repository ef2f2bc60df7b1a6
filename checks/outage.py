"""Stops PostgreSQL for a while: its folder is renamed, so that the supervisor cannot restart it."""

import asyncio
import time
from dataclasses import dataclass

import asyncpg

from checks.waiting import CheckError, until
from stack.client import Running

_BACK_S = 60.0


@dataclass(frozen=True)
class Away:
    """The start and end of an outage in Unix seconds. back: when PostgreSQL answered again."""

    gone: float
    back: float


async def postgres_away(running: Running, seconds: float) -> Away:
    """Kill PostgreSQL with -9, keep it stopped for a while, and return once it answers again. Raises CheckError."""
    folder = running.data / "postgres"
    hidden = folder.with_name("postgres.away")
    folder.rename(hidden)
    try:
        running.kill("postgres")
        gone = time.time()
        await asyncio.sleep(seconds)
    finally:
        hidden.rename(folder)
    url = running.variables["CLARION_POSTGRES_URL"]

    async def answers() -> bool:
        try:
            connection = await asyncpg.connect(url, timeout=2)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise CheckError(repr(error)) from error
        await connection.close()
        return True

    await until(answers, "PostgreSQL after its return", deadline=_BACK_S)
    return Away(gone, time.time())
