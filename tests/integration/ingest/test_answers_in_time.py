"""Events that must be answered by a time, from a gateway's queue through a real ingest to a broker that hangs."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from clarion.ingest.v1 import ingest_pb2
from gateway.accepting import TriggerBatcher
from gateway.clients import Clients
from gateway.settings import Settings
from runtime.clock import now_us
from runtime.errors import ClarionError, Code
from runtime.settings import Secret
from tests.conftest import NatsServer
from tests.integration.ingest.conftest import PATIENT, Ingest, new_event
from tests.integration.ingest.processes import NOBODY, TOKEN, StartService
from tests.streams import Streams
from tests.waiting import eventually

_SECOND_US = 1_000_000
_NONE = ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE)


@dataclass
class Gateway:
    """A gateway's queue before an ingest process, and a tenant."""

    acceptor: TriggerBatcher
    ingest: Ingest
    tenant_id: str

    async def accept(self, by: int = 0, **fields: Any) -> ingest_pb2.Accepted:
        """Accept an event, which has no duplicates."""
        return await self.acceptor.accept(self.tenant_id, new_event(answer_by_us=by, dedupe=_NONE, **fields))


@pytest.fixture
async def gateway(start: StartService) -> AsyncIterator[Gateway]:
    """A gateway's queue that has sent an event already: all connections are there."""
    ingest = Ingest(await start("services.ingest", **PATIENT))
    settings = Settings(
        service_token=Secret(TOKEN),
        http_address="",
        admin_token=Secret("a"),
        ingest_address=ingest.service.address,
        router_address=NOBODY,
        render_address=NOBODY,
        senders_address=NOBODY,
        realtime_address=NOBODY,
        centrifugo_url=f"http://{NOBODY}",
    )
    clients = Clients(settings)
    made = Gateway(TriggerBatcher(clients, max_waiting_bytes=2**20), ingest, (await ingest.tenant()).tenant.id)
    await made.accept()
    yield made
    await clients.close()


async def test_an_event_that_may_be_stored_is_waited_for(
    gateway: Gateway, streams: Streams, nats_server: NatsServer
) -> None:
    """The broker answers after the time is over: the event is accepted, and its caller is told so."""
    nats_server.process.send_signal(signal.SIGSTOP)
    by = now_us() + _SECOND_US // 2
    answer = asyncio.create_task(gateway.accept(by))
    await eventually(lambda: now_us() > by + _SECOND_US // 4)
    assert not answer.done()
    nats_server.process.send_signal(signal.SIGCONT)
    accepted = await answer
    assert (await streams.events())[-1].id == accepted.event_id


async def test_nobody_says_timeout_of_an_event_whose_fate_is_unknown(gateway: Gateway, nats_server: NatsServer) -> None:
    """The broker does not answer at all: UNAVAILABLE, after the time and within ingest's own deadline."""
    nats_server.process.send_signal(signal.SIGSTOP)
    with pytest.raises(ClarionError) as refused:
        await gateway.accept(now_us() + _SECOND_US // 2)
    assert refused.value.code is Code.UNAVAILABLE
    nats_server.process.send_signal(signal.SIGCONT)


async def test_an_event_that_never_left_the_gateway(gateway: Gateway, streams: Streams) -> None:
    """Ingest hangs with the events before it: TIMEOUT. When ingest goes on, only those are stored."""
    gateway.ingest.service.process.send_signal(signal.SIGSTOP)
    sent = asyncio.create_task(gateway.accept())
    for _ in range(5):  # until its call has begun: what follows is not in it
        await asyncio.sleep(0)
    # Within 0.1 s no further call begins beside the one that hangs.
    with pytest.raises(ClarionError) as refused:
        await gateway.accept(now_us() + _SECOND_US // 20)
    assert refused.value.code is Code.TIMEOUT
    gateway.ingest.service.process.send_signal(signal.SIGCONT)
    accepted = await sent
    assert [event.id for event in await streams.events()][1:] == [accepted.event_id]
