"""Dead letters on real PostgreSQL and NATS: found by what they were for, counted, and sent again by a filter."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ledger_pb2, replays_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.dead_letters import store as dead_letters
from services.ingest.dead_letters.store import LetterFilter
from services.ingest.ledger.record import merge
from services.ingest.ledger.store import LedgerStore
from services.ingest.replays.runner import ReplayPublisher, ReplayRunner
from services.ingest.replays.servicer import ReplayServicer
from services.ingest.replays.sql import PAGE
from services.ingest.replays.store import ReplayStore
from services.ingest.retries.publisher import DeliveryPublisher
from tests.integration.ingest import builders
from tests.integration.ingest.builders import DEAD, QUEUED, SMS
from tests.integration.ingest.ledger import Ledger
from tests.streams import Streams
from tests.waiting import end, eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
RUNNING, DONE, CANCELLED, PAUSED = 1, 2, 3, 4


@dataclass
class Letters:
    """Store, runner and servicer of replays in this process, and dead letters of two tenants."""

    tenants: tuple[str, str]
    pool: Pool
    runner: ReplayRunner
    servicer: ReplayServicer

    async def call(self, method: str, **fields: Any) -> Any:
        """Call "PauseReplay" or its like."""
        request = getattr(replays_pb2, f"{method}Request")(**fields)
        return await getattr(self.servicer, method)(request, None)

    async def start(self, per_second: int = 1000, **fields: Any) -> list[replays_pb2.Replay]:
        """Start replays of what matches."""
        wanted = ledger_pb2.DeadLetterFilter(**fields)
        answer = await self.call("StartDeadLetterReplays", filter=wanted, per_second=per_second)
        return list(answer.replays)

    async def get(self, replay: replays_pb2.Replay) -> replays_pb2.Replay:
        """Return a replay as it is now."""
        found: replays_pb2.Replay = (await self.call("GetReplay", replay_id=replay.id)).replay
        return found

    async def ended(self, replay: replays_pb2.Replay) -> replays_pb2.Replay:
        """Wait until the replay has ended."""

        async def over() -> replays_pb2.Replay | None:
            found = await self.get(replay)
            return found if found.state != RUNNING else None

        found = await eventually(over, 30)
        assert found is not None
        return found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let the runner work for a while."""
        task = asyncio.create_task(self.runner.run())
        try:
            yield
        finally:
            with suppress(Exception):  # what it could not do is seen by what is not there
                await end(task)

    async def die(self, count: int = 1, *, tenant: int = 0, **fields: Any) -> list[str]:
        """Store events whose text message died; return their delivery ids. fields: of the letter or its record."""
        ids: list[str] = []
        for n in range(count):
            event = builders.event(self.tenants[tenant], user_id=f"u{n}", **_event(fields))
            id_ = builders.delivery_id(event)
            record = builders.attempted(event, id_, DEAD)
            record.attempted.dead_letter.event_type = event.event_type
            record.attempted.provider = fields.get("provider", "sandbox")
            record.attempted.reason = fields.get("reason", "provider_timeout")
            await LedgerStore(self.pool, self.pool).write(merge([event, builders.routed(event, {id_: QUEUED}), record]))
            ids.append(id_)
        return ids

    async def waiting(self, **fields: Any) -> list[str]:
        """Return the delivery ids that match, oldest first."""
        rows = await dead_letters.page(self.pool, LetterFilter(**fields), None, 100)
        return [str(row["delivery_id"]) for row in reversed(rows)]


def _event(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in ("event_type", "variables")}


@pytest.fixture
async def letters(pool: Pool, connection: Client) -> Letters:
    """The services of two tenants' dead letters."""
    tenants = (new_id(), new_id())
    for tenant in tenants:
        await builders.insert_tenant(pool, tenant, unfinished=0)
    store, publisher = ReplayStore(pool, pool), ReplayPublisher(connection)
    runner = ReplayRunner(store, publisher, DeliveryPublisher(connection))
    return Letters(tenants, pool, runner, ReplayServicer(store, publisher, runner))


async def test_they_are_found_by_what_they_were_for(letters: Letters) -> None:
    """By tenants, channel, reason, provider, event type and time; several filters hold together."""
    (one,) = await letters.die(event_type="order.paid", provider="smtp")
    (two,) = await letters.die(reason="provider_credentials")
    (other,) = await letters.die(tenant=1)
    assert await letters.waiting() == [one, two, other]
    assert await letters.waiting(tenant_ids=[letters.tenants[1]]) == [other]
    assert await letters.waiting(event_type="order.paid") == [one]
    assert await letters.waiting(provider="smtp") == [one]
    assert await letters.waiting(provider="sandbox", tenant_ids=[letters.tenants[0]]) == [two]
    assert await letters.waiting(reason="provider_credentials") == [two]
    assert await letters.waiting(channel=SMS) == [one, two, other]
    assert await letters.waiting(channel=event_pb2.CHANNEL_EMAIL) == []
    rows = await dead_letters.page(letters.pool, LetterFilter(), None, 100)
    died_us = int(rows[1]["died_at"].timestamp() * 1_000_000)
    assert await letters.waiting(since_us=died_us) == [two, other]
    assert await letters.waiting(until_us=died_us) == [one]


async def test_letters_of_the_version_before_are_found_too(letters: Letters) -> None:
    """Their rows have no event type and no provider: their event and delivery tell."""
    (one,) = await letters.die(event_type="order.paid", provider="smtp")
    await letters.die()
    await letters.pool.execute("UPDATE ingest.dead_letters SET event_type = NULL, provider = NULL")
    assert await letters.waiting(event_type="order.paid") == [one]
    assert await letters.waiting(provider="smtp") == [one]


async def test_they_are_counted(letters: Letters, ledger: Ledger) -> None:
    """Exactly, as a page with the same filter has them."""
    await letters.die(3)
    await letters.die(tenant=1)
    request = ledger_pb2.ListDeadLettersRequest(tenant_id=letters.tenants[0], limit=1, count=True)
    answer = await ledger.servicer.ListDeadLetters(request, None)
    assert (answer.total, len(answer.dead_letters)) == (3, 1)
    assert answer.dead_letters[0].event_type == "order.confirmed"
    request.tenant_id, request.filter.tenant_ids[:] = "", letters.tenants
    assert (await ledger.servicer.ListDeadLetters(request, None)).total == 4


async def test_they_are_counted_by_reason(letters: Letters, ledger: Ledger) -> None:
    """The most frequent first; also those of other reasons than the one that is looked at."""
    await letters.die(1, reason="provider_credentials")
    await letters.die(2)
    await letters.die(tenant=1)
    request = ledger_pb2.ListDeadLettersRequest(tenant_id=letters.tenants[0], limit=1, count=True, count_reasons=True)
    request.filter.reason = "provider_credentials"
    answer = await ledger.servicer.ListDeadLetters(request, None)
    assert [(one.reason, one.count) for one in answer.reasons] == [("provider_timeout", 2), ("provider_credentials", 1)]
    assert answer.total == 1
    request.count_reasons = False
    assert not (await ledger.servicer.ListDeadLetters(request, None)).reasons


async def test_all_that_match_are_sent_again(letters: Letters, streams: Streams) -> None:
    """Not the page: hundreds, each once, under their ids and with the next replay; the others stay."""
    matching = await letters.die(2 * PAGE + 7, provider="smtp")
    (other,) = await letters.die()
    async with letters.running():
        (replay,) = await letters.start(provider="smtp")
        assert (replay.found, replay.dead_letters) == (len(matching), True)
        ended = await letters.ended(replay)
    assert (ended.state, ended.replayed, ended.unplayable) == (DONE, len(matching), 0)
    sent = await streams.deliveries()
    assert sorted(one.id for one in sent) == sorted(matching)
    assert {(one.replay, one.attempt, one.deferrals) for one in sent} == {(1, 1, 0)}
    assert await letters.waiting() == [other]


async def test_what_dies_again_is_not_sent_once_more(letters: Letters, streams: Streams) -> None:
    """A replay ends with the letters that there were when it began."""
    (id_,) = await letters.die()
    (replay,) = await letters.start()
    event_id = str(await letters.pool.fetchval("SELECT event_id FROM ingest.dead_letters"))
    async with letters.running():
        assert (await letters.ended(replay)).replayed == 1
    again = builders.event(letters.tenants[0])
    again.id = event_id
    record = builders.attempted(again, id_, DEAD, replay=1, at_us=replay.created_at_us + 60_000_000)
    await LedgerStore(letters.pool, letters.pool).write(merge([record]))
    assert await letters.waiting() == [id_]
    await letters.pool.execute("UPDATE ingest.replays SET state = 5, next_at = now(), finished_at = NULL")
    async with letters.running():
        await letters.ended(replay)
    assert await streams.count("DELIVERIES") == 1


async def test_each_tenant_has_a_replay_of_its_own(letters: Letters, streams: Streams) -> None:
    """So that one tenant's backlog holds up no other. A second one of the same tenant is refused while it runs."""
    await letters.die(2)
    await letters.die(tenant=1)
    replays = await letters.start()
    assert {one.tenant_id: one.found for one in replays} == {letters.tenants[0]: 2, letters.tenants[1]: 1}
    with pytest.raises(ClarionError) as refusal:
        await letters.start()
    assert refusal.value.code is Code.CONFLICT
    await letters.pool.execute("UPDATE ingest.backlog SET unfinished = 100000 WHERE tenant_id = $1", letters.tenants[0])
    async with letters.running():
        ended = await letters.ended(next(one for one in replays if one.tenant_id == letters.tenants[1]))
        held = next(one for one in replays if one.tenant_id == letters.tenants[0])
        waiting = await eventually(lambda: _waiting(letters, held))
    assert (ended.replayed, waiting) == (1, "backlog")
    assert await streams.count("DELIVERIES") == 1


async def _waiting(letters: Letters, replay: replays_pb2.Replay) -> str:
    return (await letters.get(replay)).waiting


async def test_nothing_that_matches(letters: Letters) -> None:
    """Is said at once, and no replay is stored."""
    with pytest.raises(ClarionError) as refusal:
        await letters.start(reason="nothing")
    assert refusal.value.code is Code.NOT_FOUND
    assert not (await letters.call("ListReplays")).replays


async def test_a_replay_is_paused_resumed_and_canceled(letters: Letters, streams: Streams) -> None:
    """A paused one sends nothing, and goes on where it was; a canceled one is over."""
    await letters.die(3)
    (replay,) = await letters.start()
    assert (await letters.call("PauseReplay", replay_id=replay.id)).replay.state == PAUSED
    marker = await letters.die(1, tenant=1)
    async with letters.running():
        (other,) = await letters.start(tenant_ids=[letters.tenants[1]])
        await letters.ended(other)
    assert [one.id for one in await streams.deliveries()] == marker
    assert (await letters.call("ResumeReplay", replay_id=replay.id)).replay.state == RUNNING
    async with letters.running():
        assert (await letters.ended(replay)).replayed == 3
    for method in ("PauseReplay", "ResumeReplay", "CancelReplay"):
        with pytest.raises(ClarionError) as refusal:
            await letters.call(method, replay_id=replay.id)
        assert refusal.value.code is Code.CONFLICT
    await letters.die()
    (second,) = await letters.start()
    await letters.call("PauseReplay", replay_id=second.id)
    assert (await letters.call("CancelReplay", replay_id=second.id)).replay.state == CANCELLED


async def test_a_paused_replay_makes_way_for_another(letters: Letters) -> None:
    """And cannot go on while that one runs."""
    await letters.die(2)
    (first,) = await letters.start()
    await letters.call("PauseReplay", replay_id=first.id)
    await letters.start()
    with pytest.raises(ClarionError) as refusal:
        await letters.call("ResumeReplay", replay_id=first.id)
    assert refusal.value.code is Code.CONFLICT


async def test_deleted_content_is_counted(letters: Letters, streams: Streams) -> None:
    """A letter that refers to a body which retention has deleted is left, and the others are sent."""
    whole, referring = await letters.die(2)
    delivery = event_pb2.Delivery.FromString(
        await letters.pool.fetchval("SELECT delivery FROM ingest.dead_letters WHERE delivery_id = $1", referring)
    )
    delivery.body_reference.size = 5000
    await letters.pool.execute(
        "UPDATE ingest.dead_letters SET delivery = $2 WHERE delivery_id = $1", referring, delivery.SerializeToString()
    )
    await letters.pool.execute("DELETE FROM ingest.event_payloads")
    async with letters.running():
        (replay,) = await letters.start()
        ended = await letters.ended(replay)
    assert (ended.replayed, ended.unplayable) == (1, 1)
    assert [one.id for one in await streams.deliveries()] == [whole]
    assert await letters.waiting() == [referring]


async def test_replays_of_events_take_the_same_filters(letters: Letters, streams: Streams) -> None:
    """Failed and skipped deliveries by channel, reason and kind of provider; without a status these are refused."""
    await letters.die(provider="smtp", reason="provider_credentials", variables=b'{"n":1}')
    await letters.die(variables=b'{"n":2}')
    wanted = {"tenant_id": letters.tenants[0], "since_us": 1_000, "per_second": 1000}
    with pytest.raises(ClarionError) as refusal:
        await letters.call("StartReplay", **wanted, reason="provider_credentials")
    assert [field for field, _ in refusal.value.fields] == ["status"]
    narrow = {**wanted, "status": DEAD, "reason": "provider_credentials", "provider": "smtp", "channel": SMS}
    replay = (await letters.call("StartReplay", **narrow)).replay
    async with letters.running():
        assert (await letters.ended(replay)).replayed == 1
    assert [one.variables for one in await streams.events()] == [b'{"n":1}']
