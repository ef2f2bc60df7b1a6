"""The senders as a process of their own: from DELIVERIES to the sandbox and TRACE, draining, killed, wrongly set up."""

import asyncio
import signal
import subprocess
import sys
from typing import Any

import asyncpg
import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.senders.v1 import senders_pb2
from runtime import grpc
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from tests.integration.senders.mail_servers import Catcher, hanging, serving
from tests.integration.senders.processes import TOKEN, Senders, variables_for
from tests.unit.senders import builders
from tests.unit.senders.builders import TENANT
from tests.waiting import eventually


async def test_deliveries_end_in_the_sandbox_and_in_trace(
    senders: Senders, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """300 text messages: 300 rows, 300 records SENT, and each only once."""
    provider_id = await senders.provider(event_pb2.CHANNEL_SMS, "sandbox")
    deliveries = [builders.delivery(event_pb2.CHANNEL_SMS, provider_id=provider_id) for _ in range(300)]
    await senders.deliver(*deliveries)
    wanted = sorted(one.id for one in deliveries)

    async def recorded() -> bool:
        rows = await pool.fetch("SELECT delivery_id FROM senders.outbox")
        return sorted(str(row["delivery_id"]) for row in rows) == wanted

    async def traced() -> bool:
        records = await senders.attempts()
        sent = [one.delivery_id for one in records if one.status == trace_pb2.DELIVERY_STATUS_SENT]
        return sorted(sent) == wanted and {one.provider for one in records} == {"sandbox"}

    await eventually(recorded)
    await eventually(traced)


async def test_a_hung_mail_server_holds_nobody_up_and_is_tried_again(senders: Senders) -> None:
    """Mail of another provider and text messages go on; the refused mail is retried, then dead."""
    catcher = Catcher()
    async with hanging() as dead, serving(catcher) as alive, serving(Catcher(rcpt="451 later")) as later:
        smtp: dict[str, Any] = {"host": "127.0.0.1", "tls": "none", "from_email": "noreply@relay.example"}
        hung = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", port=dead, **smtp)
        good = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", port=alive, **smtp)
        other = await senders.tenant(new_id())
        busy = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", tenant_id=other, port=later, **smtp)
        sms = await senders.provider(event_pb2.CHANNEL_SMS, "sandbox")
        await senders.deliver(*[builders.delivery(provider_id=hung) for _ in range(100)])
        refused = builders.delivery(provider_id=busy, tenant_id=other)
        mails = [builders.delivery(provider_id=good) for _ in range(20)]
        texts = [builders.delivery(event_pb2.CHANNEL_SMS, provider_id=sms) for _ in range(20)]
        await senders.deliver(*mails, *texts, refused)

        async def all_sent() -> bool:
            sent = {one.delivery_id for one in await senders.attempts() if one.status == trace_pb2.DELIVERY_STATUS_SENT}
            return sent == {one.id for one in (*mails, *texts)}

        async def dead_letter() -> trace_pb2.Attempted | None:
            records = [one for one in await senders.attempts() if one.delivery_id == refused.id]
            last = records[-1] if records else None
            return last if last and last.status == trace_pb2.DELIVERY_STATUS_DEAD else None

        await eventually(all_sent)
        buried = await eventually(dead_letter)
    assert buried is not None
    assert (buried.attempt, buried.reason, buried.provider) == (3, "provider_deferred", "smtp")
    assert buried.dead_letter.recipient.email == "ada@example.org"
    assert len(catcher.envelopes) == 20
    assert {envelope.mail_from for envelope in catcher.envelopes} == {"noreply@relay.example"}


async def test_a_mail_server_that_takes_one_message_per_connection(senders: Senders) -> None:
    """421 at the second mail uses no attempt and pauses no provider: every mail is sent at its first attempt."""
    catcher = Catcher(closes_on_reuse="421 4.7.0 too many messages on this connection")
    async with serving(catcher) as port:
        provider_id = await senders.provider(
            event_pb2.CHANNEL_EMAIL, "smtp", host="127.0.0.1", port=port, tls="none", from_email="noreply@relay.example"
        )
        mails = [builders.delivery(provider_id=provider_id) for _ in range(20)]
        for mail in mails:
            await senders.deliver(mail)

        async def all_tried() -> bool:
            return {one.delivery_id for one in await senders.attempts()} == {one.id for one in mails}

        await eventually(all_tried)
        records = await senders.attempts()
    assert {(one.attempt, one.status) for one in records} == {(1, trace_pb2.DELIVERY_STATUS_SENT)}
    assert len(catcher.envelopes) == len(mails)


async def test_drains_on_sigterm(senders: Senders, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Deliveries in hand are finished and acked; status 0; after a restart nothing is sent twice."""
    provider_id = await senders.provider(event_pb2.CHANNEL_SMS, "sandbox")
    deliveries = [builders.delivery(event_pb2.CHANNEL_SMS, provider_id=provider_id) for _ in range(500)]
    await senders.deliver(*deliveries)
    assert await senders.stop(signal.SIGTERM) == 0
    await senders.start()

    async def all_there() -> bool:
        count: int = await pool.fetchval("SELECT count(DISTINCT delivery_id) FROM senders.outbox")
        return count == len(deliveries)

    await eventually(all_there)
    assert await pool.fetchval("SELECT count(*) FROM senders.outbox") == len(deliveries)


async def test_a_hung_mail_server_does_not_keep_the_rest_from_draining(senders: Senders) -> None:
    """After SIGTERM it takes no text messages any more, though a mail is still under way."""
    async with hanging() as dead:
        smtp: dict[str, Any] = {"host": "127.0.0.1", "tls": "none", "from_email": "noreply@relay.example"}
        hung = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", port=dead, **smtp)
        sms = await senders.provider(event_pb2.CHANNEL_SMS, "sandbox")
        before = builders.delivery(event_pb2.CHANNEL_SMS, provider_id=sms)
        await senders.deliver(builders.delivery(provider_id=hung), before)
        await eventually(senders.attempts)  # by now the mail is under way, too
        senders.process.send_signal(signal.SIGTERM)

        async def is_draining() -> bool:
            return not await grpc.is_serving(senders.address, deadline=20)

        async def takes_nothing() -> bool:
            jetstream = senders.connection.jetstream(timeout=60)
            consumers = topology.delivery_consumers(event_pb2.CHANNEL_SMS)
            found = [await jetstream.consumer_info(one.stream, one.name) for one in consumers]
            return not any(one.num_waiting for one in found)

        await eventually(is_draining)
        await eventually(takes_nothing)  # it says that it ends before it stops asking the broker
        await senders.deliver(builders.delivery(event_pb2.CHANNEL_SMS, provider_id=sms))
        assert await asyncio.to_thread(senders.process.wait, 30) == 0
    assert [one.delivery_id for one in await senders.attempts()] == [before.id]


async def test_killed_in_the_middle(senders: Senders, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Kill -9 loses nothing; deliveries in hand may be sent twice, with the same id."""
    provider_id = await senders.provider(event_pb2.CHANNEL_SMS, "sandbox")
    deliveries = [builders.delivery(event_pb2.CHANNEL_SMS, provider_id=provider_id) for _ in range(1000)]
    publishing = asyncio.ensure_future(senders.deliver(*deliveries))

    async def some_there() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM senders.outbox"))

    await eventually(some_there, every=0.001)
    senders.process.kill()
    senders.process.wait()
    await publishing
    await senders.start()

    async def all_there() -> bool:
        count: int = await pool.fetchval("SELECT count(DISTINCT delivery_id) FROM senders.outbox")
        return count == len(deliveries)

    await eventually(all_there, deadline=30)


async def test_needs_the_services_token(senders: Senders) -> None:
    """Without the token nobody reads the sandbox or creates providers."""
    for method, request in (
        ("OutboxService.ListMessages", senders_pb2.ListMessagesRequest()),
        ("ProviderService.ListProviders", senders_pb2.ListProvidersRequest(tenant_id=TENANT)),
    ):
        with pytest.raises(ClarionError) as caught:
            await senders.call(method, request, token="wrong")
        assert caught.value.code is Code.UNAUTHENTICATED


async def test_no_secret_in_the_log(senders: Senders) -> None:
    """Neither credentials nor bodies, recipients' addresses, or the encryption key are ever logged."""
    async with serving(Catcher(rcpt="550 5.1.1 No such user")) as port:
        provider_id = await senders.provider(
            event_pb2.CHANNEL_EMAIL, "smtp", host="127.0.0.1", port=port, tls="none", from_email="a@relay.example"
        )
        secret = await senders.provider(
            event_pb2.CHANNEL_EMAIL,
            "smtp",
            host="127.0.0.1",
            port=port,
            tls="none",
            from_email="a@relay.example",
            username="ada",
            password="correct-horse",
        )
        await senders.deliver(builders.delivery(provider_id=provider_id), builders.delivery(provider_id=secret))

        async def both_tried() -> bool:
            return len({one.delivery_id for one in await senders.attempts()}) == 2

        await eventually(both_tried)
    await senders.stop(signal.SIGTERM)
    log = senders.log.read_text()
    assert "delivery" in log
    for word in (
        "correct-horse",
        "<p>html</p>",
        "ada@example.org",
        senders.variables["CLARION_ENCRYPTION_KEYS"],
        TOKEN,
    ):
        assert word not in log


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"CLARION_ENCRYPTION_KEYS": "c2hvcnQ="}, "CLARION_ENCRYPTION_KEYS: an encryption key is base64 of 32 bytes"),
        ({"CLARION_POSTGRES_URL": ""}, "CLARION_POSTGRES_URL is not set"),
        ({"CLARION_PSEUDONYM_KEY": ""}, "CLARION_PSEUDONYM_KEY is not set"),
        ({"CLARION_PSEUDONYM_KEY": "short"}, "CLARION_PSEUDONYM_KEY must have at least 32 bytes"),
        ({"CLARION_EMAIL_SLOTS": "0"}, "CLARION_EMAIL_SLOTS"),
        ({"CLARION_PROVIDER_URLS": "resend"}, "CLARION_PROVIDER_URLS: 'resend' is not of the form kind=https://host"),
        ({"CLARION_PROVIDER_URLS": "pigeon=http://a.b"}, "CLARION_PROVIDER_URLS: there is no kind pigeon"),
        (
            {"CLARION_PROVIDER_URLS": "resend=http://10.0.0.1"},
            "CLARION_PROVIDER_URLS: '10.0.0.1' is not a public address",
        ),
        ({"CLARION_PROVIDER_URLS": "resend=http://a.b:9"}, "CLARION_PROVIDER_URLS: Port 9 is none of 80, 443."),
        ({"CLARION_PROVIDER_URLS": "resend=http://u:p@a.b"}, "CLARION_PROVIDER_URLS: A web address with a user name"),
        ({"CLARION_EGRESS_ALLOW": "localhost:25"}, "CLARION_EGRESS_ALLOW, CLARION_EGRESS_DENY: 'localhost:25'"),
        ({"CLARION_EGRESS_SMTP_PORTS": "smtp"}, "CLARION_EGRESS_SMTP_PORTS"),
        ({"CLARION_EGRESS_PROXY": "proxy:3128"}, "CLARION_EGRESS_PROXY is not of the form http://proxy:3128"),
    ],
)
async def test_wrong_settings(changes: dict[str, str], sentence: str) -> None:
    """One clear sentence and status 1."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.senders",
        env=variables_for(**changes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert sentence in errors.decode()
