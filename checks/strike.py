"""Kills one process during a burst, and compares accepted with delivered events."""

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import asyncpg

from checks.burst import Burst
from checks.client import Client, connect
from checks.page import Page
from checks.sink import Delivered, Mark, Sink, Told
from checks.waiting import CheckError, expect, until
from stack.client import Running

TARGETS = ("ingest", "router", "render", "senders", "realtime", "gateway", "nats", "postgres", "hub")
# All of them at the same moment.
EVERYTHING = "everything"
# How many attempts the sender has under way at a time (CLARION_SMS_SLOTS): what it may repeat after a crash.
DUPLICATES_BOUND = 256
# Where the broker dies in the same moment, also what was finished in the 0.1 s until its acknowledgement is on disk.
DUPLICATES_BOUND_OF_EVERYTHING = 2 * DUPLICATES_BOUND

_CLIENTS = 256
# After so many times what must wait has been accepted without waiting, the stack is held back.
_TOO_QUICK = 6
# From then on, until its targets are at work again, seconds.
_UNDER_WAY_S = 0.1
_HEALTHY_S = 30.0
_DELIVERED_S = 90.0
_QUIET_S = 60.0
# The ledger's channel number of what the target delivers; None: any.
_CHANNELS = {"senders": 2, "realtime": 3, "hub": 3}


@dataclass
class Outcome:
    """The result of a burst. Times are in seconds after the kill; sets contain order ids."""

    target: str
    accepted: int = 0
    accepted_at_kill: int = 0
    undelivered_at_kill: int = 0
    healthy_s: float = 0.0
    first_delivery_s: float = 0.0
    all_delivered_s: float = 0.0
    missing_sms: int = 0
    missing_inbox: int = 0
    missing_page: int = 0
    unfinished: int = 0
    # Events of one key that are two: there must be none.
    doubled_events: int = 0
    duplicate_sms: int = 0
    refused: int = 0
    # The router was stopped for a moment, or nothing would have waited.
    held_back: bool = False
    page_connections: int = 0
    page_reads: int = 0

    @property
    def duplicates_bound(self) -> int:
        """The number of SMS that may be sent twice."""
        return DUPLICATES_BOUND_OF_EVERYTHING if self.target == EVERYTHING else DUPLICATES_BOUND

    @property
    def missing(self) -> int:
        """The number of missing deliveries of accepted events."""
        return self.missing_sms + self.missing_inbox + self.missing_page + self.unfinished

    def __str__(self) -> str:
        within = "within" if self.duplicate_sms <= self.duplicates_bound else "OVER"
        page = f"; the page connected {self.page_connections} times and asked the inbox {self.page_reads} times"
        return (
            f"{self.undelivered_at_kill:,} of {self.accepted_at_kill:,} undelivered at the kill; "
            f"healthy after {self.healthy_s:.1f} s, next delivery after {self.first_delivery_s:.1f} s, "
            f"all {self.accepted:,} after {self.all_delivered_s:.1f} s; missing {self.missing}"
            f" (SMS {self.missing_sms}, inbox {self.missing_inbox}, page {self.missing_page}, ledger {self.unfinished})"
            f", duplicates {self.duplicate_sms} SMS ({within} the {self.duplicates_bound} that may be), "
            f"doubled events {self.doubled_events}; {self.refused} tries refused"
            f"{page if self.page_connections > 1 else ''}{'; the router was held back' if self.held_back else ''}"
        )


class Striker:
    """Kills processes of one running stack, one at a time."""

    def __init__(self, running: Running, client: Client, sink: Sink) -> None:
        self._running = running
        self._client = client
        self._sink = sink

    async def strike(self, target: str, events: int, undelivered: int, *, clients: int = _CLIENTS) -> Outcome:
        """Kill target while this many accepted events are undelivered. Return the result for all of them.

        Raises CheckError where the stack was too quick to be caught, or does not come back.
        """
        await self._be_ready()
        user_id = prefix = f"{target}-{secrets.token_hex(3)}"
        mark = await self._sink.mark(user_id)
        burst = Burst(self._client.tenant, prefix, user_id, ("SMS", "PUSH"))
        outcome = Outcome(target)
        async with Page(self._client, user_id).open() as page:
            sending = asyncio.create_task(burst.run(events, events * 10, clients=clients))
            try:
                starts, killed_at, killed_wall = await self._kill_in_time(target, burst, mark, undelivered, outcome)
                burst.enough()
                outcome.healthy_s = await self._healthy(starts) - killed_at
                async with asyncio.timeout(_DELIVERED_S):
                    await sending
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            delivered = await self._all_delivered(burst, mark, page)
            outcome.all_delivered_s = time.monotonic() - killed_at
            told = await self._settled(burst, _CHANNELS.get(target), killed_wall)
            delivered = await self._sink.delivered(mark)  # once more: repeats may have come since
            _compare(outcome, burst, delivered, page, told)
        if told.first:
            outcome.first_delivery_s = (told.first - killed_wall).total_seconds()
        return outcome

    async def _be_ready(self) -> None:
        await until(self._gateway_is_healthy, "the stack's health", deadline=_HEALTHY_S)
        await until(self._sink.quiet, "quiet before the burst", deadline=_QUIET_S)

    async def _kill_in_time(
        self, target: str, burst: Burst, mark: Mark, undelivered: int, outcome: Outcome
    ) -> tuple[dict[str, int], float, datetime]:
        """Kill once enough events are under way. Return the number of starts per process, and the time."""
        least_accepted = undelivered
        while True:
            counts = await self._sink.count(mark)
            waiting = len(burst.accepted) - _recorded(target, counts)
            if len(burst.accepted) >= _TOO_QUICK * undelivered and waiting < undelivered:
                await self._hold_back(burst, undelivered)
                outcome.held_back = True
                continue
            if len(burst.accepted) >= least_accepted and waiting >= undelivered:
                names = TARGETS if target == EVERYTHING else (target,)
                starts = {name: self._running.kill(name) for name in names}
                outcome.accepted_at_kill = len(burst.accepted)
                outcome.undelivered_at_kill = waiting
                return starts, time.monotonic(), datetime.now(UTC)
            expect(
                not burst.is_over,
                f"the stack was too quick: of {len(burst.accepted)} accepted events never {undelivered} waited",
            )
            await asyncio.sleep(0.002)

    async def _hold_back(self, burst: Burst, undelivered: int) -> None:
        """Pause the router for a moment, because otherwise events are delivered as fast as they are accepted."""
        enough = len(burst.accepted) + 2 * undelivered

        async def is_enough() -> bool:
            return len(burst.accepted) >= enough or burst.is_over

        self._running.kill("router", signal.SIGSTOP)
        try:
            await until(is_enough, "events behind the stopped router", deadline=_HEALTHY_S)
        finally:
            self._running.kill("router", signal.SIGCONT)
        await asyncio.sleep(_UNDER_WAY_S)

    async def _healthy(self, starts: dict[str, int]) -> float:
        """Return the time when all killed processes were healthy again."""
        for name, before in starts.items():
            await self._running.wait_restarted(name, before, deadline=_HEALTHY_S)

        async def well() -> bool:
            return all([await self._is_well(name) for name in starts]) and await self._gateway_is_healthy()

        await until(well, f"the health of {', '.join(starts)}", deadline=_HEALTHY_S)
        return time.monotonic()

    async def _is_well(self, target: str) -> bool:
        variables = self._running.variables
        if target == "nats":
            return await self._answers(f"{variables['CLARION_NATS_MONITOR_URL']}/healthz")
        if target == "postgres":
            try:
                connection = await asyncpg.connect(variables["CLARION_POSTGRES_URL"], timeout=2)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return False
            await connection.close()
        return True

    async def _gateway_is_healthy(self) -> bool:
        return await self._answers(f"{self._client.http.url}/healthz")

    async def _answers(self, url: str) -> bool:
        try:
            async with self._client.http.session.get(url, timeout=aiohttp.ClientTimeout(total=3)) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def _all_delivered(self, burst: Burst, mark: Mark, page: Page) -> Delivered:
        """Wait until nothing is missing or the deadline has passed, and return the result."""
        end = time.monotonic() + _DELIVERED_S
        while True:
            try:
                delivered = await self._sink.delivered(mark)
            except CheckError:
                delivered = Delivered({}, {})
            wanted = set(burst.accepted)
            if wanted <= set(delivered.sms) and wanted <= set(delivered.inbox) and _titles(wanted) <= page.titles:
                return delivered
            if time.monotonic() > end:
                return delivered
            await asyncio.sleep(0.05)

    async def _settled(self, burst: Burst, channel: int | None, after: datetime) -> Told:
        """Wait until no delivery can be repeated any more and the ledger is up to date."""
        await until(self._sink.quiet, "quiet after the burst", deadline=_QUIET_S, every=0.2)
        end = time.monotonic() + _QUIET_S
        while True:
            told = await self._sink.told(burst.accepted.values(), channel, after)
            if not told.unfinished or time.monotonic() > end:
                return told
            await asyncio.sleep(0.1)


@asynccontextmanager
async def striker(running: Running) -> AsyncIterator[Striker]:
    """Connect a Striker to the servers."""
    state = running.state
    sink = Sink(state.variables["CLARION_POSTGRES_URL"], state.variables["CLARION_NATS_URL"])
    try:
        async with connect(state, connections=2 * _CLIENTS) as client:
            yield Striker(running, client, sink)
    finally:
        await sink.close()


def _recorded(target: str, counts: tuple[int, int]) -> int:
    """Return the number of delivered events, on the channel of the target or on both."""
    sms, inbox = counts
    return {2: sms, 3: inbox}.get(_CHANNELS.get(target, 0), min(sms, inbox))


def _titles(orders: set[str]) -> set[str]:
    return {f"Order {order_id} confirmed" for order_id in orders}


def _compare(outcome: Outcome, burst: Burst, delivered: Delivered, page: Page, told: Told) -> None:
    wanted = set(burst.accepted)
    outcome.accepted = len(wanted)
    outcome.missing_sms = len(wanted - set(delivered.sms))
    outcome.missing_inbox = len(wanted - set(delivered.inbox))
    outcome.missing_page = len(_titles(wanted) - page.titles)
    outcome.unfinished = told.unfinished
    outcome.duplicate_sms = sum(len(ids) - 1 for ids in delivered.sms.values())
    # A repeat has the same delivery id; another one means that one key became two events.
    twice = {order_id for order_id, ids in delivered.sms.items() if len(set(ids)) > 1}
    twice |= {order_id for order_id, ids in delivered.inbox.items() if len(ids) > 1}
    outcome.doubled_events = len(twice)
    outcome.refused = burst.refused.total()
    outcome.page_connections, outcome.page_reads = page.connections, page.inbox_reads
