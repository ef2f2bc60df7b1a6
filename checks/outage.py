"""PostgreSQL away for a minute under a steady load: when it is back, all is delivered, once, at the first attempt."""

import asyncio
import contextlib
import os
import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from checks.burst import Burst
from checks.client import connect
from checks.sink import Attempts, Mark, Sink
from checks.waiting import CheckError, expect, until
from stack.client import Running

# How long PostgreSQL is away, and how soon after its return everything is delivered, seconds.
AWAY_S = 60.0
WITHIN_S = 5.0
# Events a second, each an SMS and a push.
RATE = 50

_BEFORE_S = 3.0
_BACK_S = 60.0
_DELIVERED_S = 120.0
_QUIET_S = 120.0


@dataclass(frozen=True)
class Load:
    """Events a second, and how long PostgreSQL is away, seconds. frozen: it hangs, in place of being killed."""

    rate: float = RATE
    away_s: float = AWAY_S
    frozen: bool = False


@dataclass
class Outcome:
    """What became of the events. Times in seconds after PostgreSQL answered again."""

    away_s: float
    accepted: int = 0
    refused: int = 0
    all_delivered_s: float = 0.0
    missing: int = 0
    doubled: int = 0
    attempts: Attempts = field(default_factory=lambda: Attempts(0, 0, 0))

    def __str__(self) -> str:
        return (
            f"away for {self.away_s:.0f} s, {self.accepted:,} events accepted ({self.refused} tries refused); "
            f"all delivered {self.all_delivered_s:.1f} s after its return; "
            f"missing {self.missing}, twice {self.doubled}; "
            f"{self.attempts.sent:,} attempts sent, {self.attempts.failed} failed, {self.attempts.dead} dead letters"
        )


async def check(running: Running, load: Load, *, within_s: float = WITHIN_S) -> str:
    """Take PostgreSQL away and give it back. Raises CheckError where anything is missing, doubled, late or failed."""
    sink = Sink(running.variables["CLARION_POSTGRES_URL"], running.variables["CLARION_NATS_URL"])
    try:
        outcome = await _outage(running, sink, load)
    finally:
        await sink.close()
    failed = outcome.attempts.failed + outcome.attempts.dead
    expect(not outcome.missing and not outcome.doubled and not failed, str(outcome))
    expect(outcome.all_delivered_s <= within_s, f"later than {within_s:g} s: {outcome}")
    return str(outcome)


async def _outage(running: Running, sink: Sink, load: Load) -> Outcome:
    await until(sink.quiet, "quiet before the outage", deadline=_QUIET_S)
    user_id = f"outage-{secrets.token_hex(3)}"
    mark = await sink.mark(user_id)
    outcome = Outcome(load.away_s)
    async with connect(running.state, connections=200) as client:
        burst = Burst(client.tenant, user_id, user_id, ("SMS", "PUSH"))
        sending = asyncio.create_task(burst.run_steadily(load.rate))
        try:
            await asyncio.sleep(_BEFORE_S)
            async with (_frozen if load.frozen else _killed)(running):
                await asyncio.sleep(load.away_s)
            await until(sink.answers, "PostgreSQL's return", deadline=_BACK_S)
            back_at = time.monotonic()
            burst.enough()
            await sending
            await _all_delivered(sink, mark, burst)
            outcome.all_delivered_s = time.monotonic() - back_at
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    await until(sink.quiet, "quiet after the outage", deadline=_QUIET_S, every=0.2)
    delivered = await sink.delivered(mark)  # once more: repeats may have come since
    wanted = set(burst.accepted)
    outcome.accepted, outcome.refused = len(wanted), burst.refused.total()
    outcome.missing = len(wanted - set(delivered.sms)) + len(wanted - set(delivered.inbox))
    outcome.doubled = sum(len(ids) - 1 for ids in (*delivered.sms.values(), *delivered.inbox.values()))
    outcome.attempts = await until(lambda: _recorded(sink, burst), "the ledger", deadline=_QUIET_S, every=0.2)
    return outcome


@asynccontextmanager
async def _frozen(running: Running) -> AsyncIterator[None]:
    """Stop all of PostgreSQL's processes for the length of a block: connections stay, and nothing answers."""
    server = running.pid("postgres")
    stopped = [server]
    os.kill(server, signal.SIGSTOP)  # first, so that it starts no more
    try:
        children = Path(f"/proc/{server}/task/{server}/children").read_text()  # noqa: ASYNC240 - no disk
        for child in map(int, children.split()):
            os.kill(child, signal.SIGSTOP)
            stopped.append(child)
        yield
    finally:
        for pid in reversed(stopped):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def _killed(running: Running) -> AsyncIterator[None]:
    """Kill PostgreSQL, and stop the supervisor so that nobody starts it again, for the length of a block."""
    supervisor = running.supervisor_pid
    os.kill(supervisor, signal.SIGSTOP)
    try:
        running.kill("postgres")
        yield
    finally:
        os.kill(supervisor, signal.SIGCONT)


async def _all_delivered(sink: Sink, mark: Mark, burst: Burst) -> None:
    wanted = set(burst.accepted)

    async def are() -> bool:
        delivered = await sink.delivered(mark)
        return wanted <= set(delivered.sms) and wanted <= set(delivered.inbox)

    try:
        await until(are, "all deliveries", deadline=_DELIVERED_S, every=0.1)
    except CheckError:  # the sum tells how many are missing
        return


async def _recorded(sink: Sink, burst: Burst) -> Attempts | None:
    """Return the attempts once the ledger has those of every event."""
    attempts = await sink.attempts(burst.accepted.values())
    return attempts if attempts.sent >= 2 * len(burst.accepted) or attempts.dead else None
