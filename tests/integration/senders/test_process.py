"""The senders as a process of their own: from DELIVERIES to the sandbox and TRACE, draining, killed, wrongly set up."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2, ledger_pb2_grpc
from clarion.render.v1 import render_pb2, render_pb2_grpc
from clarion.senders.v1 import senders_pb2, senders_pb2_grpc
from runtime import configuration, grpc, nats
from runtime.errors import ClarionError, Code
from services import topology
from tests.conftest import free_port
from tests.integration.senders.mail_servers import Catcher, hanging, serving
from tests.unit.senders import builders
from tests.unit.senders.builders import TENANT
from tests.waiting import eventually

_TOKEN = "token-of-this-test"


class _Neighbours(render_pb2_grpc.RenderServiceServicer, ledger_pb2_grpc.LedgerServiceServicer):
    """Render and the ledger, over real gRPC: every template says the same."""

    async def RenderBatch(  # noqa: N802
        self, request: render_pb2.RenderBatchRequest, _: Any
    ) -> render_pb2.RenderBatchResponse:
        """One content for all."""
        content = render_pb2.Content(subject="Hello", text="text", html="<p>html</p>")
        return render_pb2.RenderBatchResponse(results=[render_pb2.RenderResult(content=content)] * len(request.items))

    async def GetDeliveryStates(  # noqa: N802
        self, request: ledger_pb2.GetDeliveryStatesRequest, _: Any
    ) -> ledger_pb2.GetDeliveryStatesResponse:
        """Nothing was ever heard of."""
        return ledger_pb2.GetDeliveryStatesResponse(
            states=[trace_pb2.DELIVERY_STATUS_UNSPECIFIED] * len(request.delivery_ids)
        )


@dataclass
class Senders:
    """The process, and the ways to it."""

    variables: dict[str, str]
    log: Path
    address: str
    connection: Client
    stack: AsyncExitStack
    process: "subprocess.Popen[bytes]" = field(init=False)

    async def start(self) -> None:
        """Start it and wait until it serves."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
                [sys.executable, "-m", "services.senders"], env=self.variables, stdout=output, stderr=output
            )
        await eventually(lambda: grpc.is_serving(self.address), deadline=20)

    async def stop(self, number: int) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return await asyncio.to_thread(self.process.wait, 15)

    async def call(self, method: str, request: Any, *, token: str = _TOKEN) -> Any:
        """Call "ProviderService.CreateProvider" or its like."""
        service, _, name = method.partition(".")
        async with grpc.channel(self.address) as channel:
            stub = getattr(senders_pb2_grpc, f"{service}Stub")(channel)
            return await grpc.Caller(token)(getattr(stub, name), request, deadline=5)

    async def provider(self, channel: event_pb2.Channel.ValueType, kind: str, **settings: Any) -> str:
        """Create a provider and return its id."""
        request = senders_pb2.CreateProviderRequest(
            tenant_id=TENANT, channel=channel, kind=kind, settings_json=json.dumps(settings)
        )
        answer = await self.call("ProviderService.CreateProvider", request)
        created: str = answer.provider.id
        return created

    async def deliver(self, *deliveries: event_pb2.Delivery) -> None:
        """Publish deliveries as the router does."""
        await nats.Publisher(self.connection).publish_all(
            [
                nats.Outgoing(topology.delivery_subject(one.channel, one.tenant_id), one.SerializeToString(), one.id)
                for one in deliveries
            ]
        )

    async def attempts(self) -> list[trace_pb2.Attempted]:
        """Read all that stands in TRACE so far."""
        jetstream = self.connection.jetstream()
        last = (await jetstream.stream_info(topology.TRACE)).state.last_seq
        messages = [await jetstream.get_msg(topology.TRACE, sequence) for sequence in range(1, last + 1)]
        batches = [trace_pb2.TraceBatch.FromString(message.data or b"") for message in messages]
        return [record.attempted for batch in batches for record in batch.records]


@asynccontextmanager
async def _neighbours() -> AsyncIterator[str]:
    address = f"127.0.0.1:{free_port()}"
    server = grpc.Server(address, token=_TOKEN)
    servicer = _Neighbours()  # type: ignore[abstract]  # the other methods are never called
    server.add(render_pb2_grpc.add_RenderServiceServicer_to_server, servicer, "clarion.render.v1.RenderService")
    server.add(ledger_pb2_grpc.add_LedgerServiceServicer_to_server, servicer, "clarion.ingest.v1.LedgerService")
    await server.start()
    try:
        yield address
    finally:
        await server.stop(0)


def _variables(**given: str) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("CLARION_")}
    return {
        **others,
        "CLARION_SERVICE_TOKEN": _TOKEN,
        "CLARION_ENCRYPTION_KEYS": builders.encryption_key(),
        **dict.fromkeys(("CLARION_GRPC_ADDRESS", "CLARION_RENDER_ADDRESS", "CLARION_INGEST_ADDRESS"), "127.0.0.1:1"),
        **dict.fromkeys(("CLARION_POSTGRES_URL", "CLARION_NATS_URL"), "nowhere://127.0.0.1:1"),
        **given,
    }


@pytest.fixture
async def senders(postgres_url: str, nats_url: str, connection: Client, tmp_path: Path) -> AsyncIterator[Senders]:
    """A running senders process, and a tenant whose configuration is published."""
    async with AsyncExitStack() as stack:
        neighbours = await stack.enter_async_context(_neighbours())
        address = f"127.0.0.1:{free_port()}"
        variables = _variables(
            CLARION_GRPC_ADDRESS=address,
            CLARION_POSTGRES_URL=postgres_url,
            CLARION_NATS_URL=nats_url,
            CLARION_RENDER_ADDRESS=neighbours,
            CLARION_INGEST_ADDRESS=neighbours,
            CLARION_RETRY_DELAYS_S="0.5,0.5",
        )
        bucket = await connection.jetstream().key_value(configuration.BUCKET)
        await bucket.put(topology.tenant_key(TENANT), json.dumps({"id": TENANT, "sender_name": "Acorn"}).encode())
        running = Senders(variables, tmp_path / "senders.log", address, connection, stack)
        await running.start()
        try:
            yield running
        finally:
            running.process.kill()
            running.process.wait()


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
    """Mail of another provider and text messages go on; the refused one is retried, then dead."""
    catcher = Catcher()
    async with hanging() as dead, serving(catcher) as alive, serving(Catcher(rcpt="451 later")) as later:
        smtp = {"host": "127.0.0.1", "tls": "none", "from_email": "noreply@relay.example"}
        hung = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", port=dead, **smtp)
        good = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", port=alive, **smtp)
        busy = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", port=later, **smtp)
        sms = await senders.provider(event_pb2.CHANNEL_SMS, "sandbox")
        await senders.deliver(*[builders.delivery(provider_id=hung) for _ in range(100)])
        started = time.monotonic()
        refused = builders.delivery(provider_id=busy)
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
        assert time.monotonic() - started < 8
        buried = await eventually(dead_letter)
    assert buried is not None
    assert (buried.attempt, buried.reason, buried.provider) == (3, "provider_deferred", "smtp")
    assert buried.dead_letter.recipient.email == "ada@example.org"
    assert len(catcher.envelopes) == 20
    assert {envelope.mail_from for envelope in catcher.envelopes} == {"noreply@relay.example"}


async def test_drains_on_sigterm(senders: Senders, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """What it took is finished and acked; status 0; after a new start nothing comes twice."""
    provider_id = await senders.provider(event_pb2.CHANNEL_SMS, "sandbox")
    deliveries = [builders.delivery(event_pb2.CHANNEL_SMS, provider_id=provider_id) for _ in range(500)]
    await senders.deliver(*deliveries)
    started = time.monotonic()
    assert await senders.stop(signal.SIGTERM) == 0
    assert time.monotonic() - started < 10
    await senders.start()

    async def all_there() -> bool:
        count: int = await pool.fetchval("SELECT count(DISTINCT delivery_id) FROM senders.outbox")
        return count == len(deliveries)

    await eventually(all_there)
    assert await pool.fetchval("SELECT count(*) FROM senders.outbox") == len(deliveries)


async def test_a_hung_mail_server_does_not_keep_the_rest_from_draining(senders: Senders) -> None:
    """Asked to stop, it takes no text message any more, though a mail is still under way."""
    async with hanging() as dead:
        smtp = {"host": "127.0.0.1", "tls": "none", "from_email": "noreply@relay.example"}
        hung = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", port=dead, **smtp)
        sms = await senders.provider(event_pb2.CHANNEL_SMS, "sandbox")
        before = builders.delivery(event_pb2.CHANNEL_SMS, provider_id=sms)
        await senders.deliver(builders.delivery(provider_id=hung), before)
        await eventually(senders.attempts)  # by now the mail is under way, too
        senders.process.send_signal(signal.SIGTERM)

        async def is_draining() -> bool:
            return not await grpc.is_serving(senders.address)

        await eventually(is_draining)
        await senders.deliver(builders.delivery(event_pb2.CHANNEL_SMS, provider_id=sms))
        assert await asyncio.to_thread(senders.process.wait, 10) == 0
    assert [one.delivery_id for one in await senders.attempts()] == [before.id]


async def test_killed_in_the_middle(senders: Senders, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Kill -9 loses nothing; what was in hand may come twice, under the same id."""
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
    """Nobody else may read the sandbox or set up providers."""
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
        _TOKEN,
    ):
        assert word not in log


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"CLARION_ENCRYPTION_KEYS": "c2hvcnQ="}, "CLARION_ENCRYPTION_KEYS: an encryption key is base64 of 32 bytes"),
        ({"CLARION_POSTGRES_URL": ""}, "CLARION_POSTGRES_URL is not set"),
        ({"CLARION_EMAIL_SLOTS": "0"}, "CLARION_EMAIL_SLOTS"),
    ],
)
async def test_wrong_settings(changes: dict[str, str], sentence: str) -> None:
    """One clear sentence and status 1."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.senders",
        env=_variables(**changes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 1
    assert sentence in errors.decode()
