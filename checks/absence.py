"""Stops PostgreSQL under a steady mixed load, and counts what was lost, late, or sent twice."""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from checks.catcher import Catcher, catching
from checks.client import Tenant, connect
from checks.outage import Away, postgres_away
from checks.siege import neighbour, records
from checks.siege.neighbour import Sent
from checks.siege.records import Records
from checks.sink import Sink
from checks.waiting import CheckError, until
from services.domain.channels import PUBLIC_NAMES_FOR_PEOPLE
from stack.client import Running

_CHANNELS = list(PUBLIC_NAMES_FOR_PEOPLE)
_RATE = 20.0
_BEFORE_S, _AFTER_S = 5.0, 5.0
_DELIVERED_S = 120.0
_QUIET_S = 90.0


@dataclass
class Outcome:
    """The results for the events. Times in seconds after PostgreSQL's return; e-mail has none: it needs no database."""

    away: Away
    accepted: int
    refused: Counter[str] = field(default_factory=Counter)
    waited: int = 0
    first_s: float = 0.0
    all_s: float = 0.0
    missing: int = 0
    dead_letters: int = 0
    repeated: int = 0
    # Keys sent again after its return whose answer named another event.
    other_events: int = 0
    # What the ledger says of those missing.
    left: str = ""

    def __str__(self) -> str:
        refused = ", ".join(f"{number} {what}" for what, number in self.refused.items()) or "none"
        return (
            f"away for {self.away.back - self.away.gone:.1f} s; of {self.accepted:,} accepted {self.waited:,} then,"
            f" first delivery {self.first_s:.1f} s and all {self.all_s:.1f} s after its return; missing {self.missing},"
            f" dead letters {self.dead_letters}, sent twice {self.repeated}, keys that became another event"
            f" {self.other_events}; refused: {refused}{f'; left: {self.left}' if self.left else ''}"
        )


async def absence(running: Running, seconds: float, kills: Sequence[str] = ()) -> Outcome:
    """Stop PostgreSQL for a while under load, and repeat every key at the end. Raises CheckError.

    kills: processes that are killed as it goes, halfway, and when it is back.
    """
    async with connect(running.state) as client, catching() as (catcher, port):
        smtp = {"host": "127.0.0.1", "port": port, "tls": "none", "from_email": "us@tenant.example"}
        tenant = await neighbour.create(client.operator, f"Steady {secrets.token_hex(2)}", email=("smtp", smtp))
        away, sent = await _load(running, tenant, seconds, kills)
        accepted = [one for one in sent if one.status == 200]
        outcome = Outcome(away, len(accepted))
        outcome.refused.update(str(one.status or one.error) for one in sent if one.status != 200)
        await _delivered(running, tenant, accepted, catcher)
        outcome.other_events = await _send_again(tenant, accepted)
        await _quiet(running)
        found = await records.read(running.variables["CLARION_POSTGRES_URL"], tenant.id)
        compare(outcome, accepted, found, catcher)
        if outcome.missing:
            outcome.left = await records.left(running.variables["CLARION_POSTGRES_URL"], tenant.id)
        outcome.dead_letters = await records.dead_letters(running.variables["CLARION_POSTGRES_URL"], tenant.id)
        return outcome


async def _load(running: Running, tenant: Tenant, seconds: float, kills: Sequence[str]) -> tuple[Away, list[Sent]]:
    order = neighbour.Order(
        url=running.url,
        tenant_id=tenant.id,
        api_key=tenant.api_key,
        run=f"s{secrets.token_hex(3)}-",
        rate=_RATE,
        channels=_CHANNELS,
    )
    async with neighbour.neighbour(order) as steady:
        await asyncio.sleep(_BEFORE_S)
        async with asyncio.TaskGroup() as group:
            gone = group.create_task(postgres_away(running, seconds))
            for _ in range(2):
                _kill(running, kills)
                await asyncio.sleep(seconds / 2)
            away = await gone
        _kill(running, kills)
        await asyncio.sleep(_AFTER_S)
        return away, (await steady.end()).sent


def _kill(running: Running, names: Sequence[str]) -> None:
    for name in names:
        running.kill(name)


async def _delivered(running: Running, tenant: Tenant, accepted: list[Sent], catcher: Catcher) -> None:
    """Wait until nothing is missing or the deadline has passed."""
    wanted = {one.id for one in accepted}
    url = running.variables["CLARION_POSTGRES_URL"]
    await records.complete(url, tenant.id, wanted, ["SMS", "PUSH"], _DELIVERED_S)

    async def all_mailed() -> bool:
        return not wanted - set(catcher.mails)

    with contextlib.suppress(CheckError):  # what is missing is counted
        await until(all_mailed, "every e-mail", deadline=_DELIVERED_S, every=0.2)


async def _send_again(tenant: Tenant, accepted: list[Sent]) -> int:
    """Repeat every key, like a caller without a response. Return the number of new events."""
    others = 0
    for one in accepted:
        try:
            answer = await tenant.trigger(neighbour.event(one.id, _CHANNELS), headers={"X-Idempotency-Key": one.id})
        except (aiohttp.ClientError, TimeoutError, OSError):
            continue
        others += answer.status == 200 and answer.event_id != one.event_id
    return others


async def _quiet(running: Running) -> None:
    sink = Sink(running.variables["CLARION_POSTGRES_URL"], running.variables["CLARION_NATS_URL"])
    try:
        await until(sink.quiet, "quiet after PostgreSQL's return", deadline=_QUIET_S, every=0.2)
    finally:
        await sink.close()


def compare(outcome: Outcome, accepted: list[Sent], found: Records, catcher: Catcher) -> None:
    """Fill in the outcome: waiting, missing and duplicate events."""
    ids = {one.id for one in accepted}
    away = outcome.away
    waited = {one.id for one in accepted if away.gone <= one.due < away.back}
    outcome.waited = len(waited)
    outcome.missing = found.missing(ids, ["SMS", "PUSH"]) + len(ids - set(catcher.mails))
    outcome.repeated = found.repeated() + sum(catcher.mails.values()) - len(catcher.mails)
    after = [
        at - away.back
        for channel in ("SMS", "PUSH")
        for one, at in found.first[channel].items()
        if one in waited and at >= away.back
    ]
    outcome.first_s, outcome.all_s = min(after, default=0.0), max(after, default=0.0)
