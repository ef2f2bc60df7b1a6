"""PostgreSQL away under mail: what is for the sandbox waits, other providers go on, nothing is lost or doubled."""

import asyncio
import json
from typing import Any

import asyncpg

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import postgres
from runtime.parts import OwnParts
from services.domain import topology
from services.senders.outbox import SandboxOutbox
from tests.conftest import PostgresServer
from tests.integration.senders.deaf_proxy import deaf_proxy
from tests.integration.senders.mail_servers import Catcher, serving
from tests.integration.senders.processes import Senders
from tests.streams import Streams
from tests.unit.senders import builders
from tests.waiting import eventually

_SENT = trace_pb2.DELIVERY_STATUS_SENT
# More than one consumer may have in hand.
_MANY = 700


async def _sent(senders: Senders) -> set[str]:
    return {one.delivery_id for one in await senders.attempts() if one.status == _SENT}


async def test_postgresql_killed_under_the_sandbox(
    senders: Senders, pool: "asyncpg.Pool[asyncpg.Record]", postgres_server: PostgresServer, streams: Streams
) -> None:
    """Away for longer than all retries would take: each message is one first attempt and one row; no circuit opens."""
    sandbox = await senders.provider(event_pb2.CHANNEL_EMAIL, "sandbox")
    catcher = Catcher()
    async with serving(catcher) as port:
        smtp: dict[str, Any] = {"host": "127.0.0.1", "tls": "none", "from_email": "noreply@relay.example"}
        relay = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", priority=1, port=port, **smtp)
        ones = [builders.delivery(provider_id=sandbox) for _ in range(_MANY)]
        mails = [builders.delivery(provider_id=relay) for _ in range(20)]
        wanted = {one.id for one in ones}
        await senders.deliver(*ones[:50])
        await eventually(lambda: _sent(senders), every=0.001)
        postgres_server.kill()
        try:
            in_hand = await streams.in_hand(topology.DELIVERIES)
            await senders.deliver(*ones[50:])
            await eventually(lambda: len(in_hand) > 512)
            await senders.deliver(*mails)
            # The same tenant, channel and consumer as those that wait.
            await eventually(lambda: len(catcher.envelopes) == 20)
        finally:
            postgres_server.start()
        everything = wanted | {mail.id for mail in mails}

        async def all_sent() -> bool:
            return await _sent(senders) == everything

        await eventually(all_sent, 60)
    assert len(catcher.envelopes) == 20
    assert {one.attempt for one in await senders.attempts()} == {1}
    assert len(await senders.attempts()) == len(everything)
    rows = await pool.fetch("SELECT delivery_id FROM senders.outbox")
    assert sorted(str(row["delivery_id"]) for row in rows) == sorted(wanted)
    log = senders.log.read_text()
    assert "provider_paused" not in log
    # Of PostgreSQL only: on a busy machine the fake ledger may be late, too.
    told = [line for line in map(json.loads, log.splitlines()) if line.get("part") == "postgres"]
    assert [line["event"] for line in told] == ["part_away", "part_back"]


async def test_a_row_whose_commit_was_not_confirmed_stands_there_once(
    postgres_url: str, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """PostgreSQL stores it and its answer is lost: the call is made again and changes nothing; another call does."""
    async with deaf_proxy(postgres_url) as proxy:
        own, behind = OwnParts(), await postgres.connect(proxy.url, name="test", size=1)
        outbox = SandboxOutbox(behind, own)
        await outbox.record_sms(builders.sms("first"))
        text, mail = builders.sms("second"), builders.email()
        await outbox.record_email(builders.email())
        for record in (lambda: outbox.record_sms(text), lambda: outbox.record_email(mail)):
            lost = proxy.lose_an_answer()
            await asyncio.wait_for(own.until_answered(record), 30)
            assert lost.is_set()
        await outbox.record_sms(text)
        await behind.close()
    rows = await pool.fetch("SELECT delivery_id FROM senders.outbox")
    ids = [str(row["delivery_id"]) for row in rows]
    assert (ids.count(text.reference.delivery_id), ids.count(mail.reference.delivery_id)) == (2, 1)
