"""reports.ports.Suppressor: what is suppressed holds when the answer comes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.router.v1 import suppressions_pb2, suppressions_pb2_grpc
from runtime import grpc
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import suppression_list
from services.router.suppressions.servicer import SUPPRESSION_SERVICE, SuppressionServicer
from services.router.suppressions.store import SuppressionStore
from services.senders.reports.ports import Suppressor
from services.senders.reports.router import RouterSuppressor
from tests.conftest import free_port
from tests.contract.ports.conftest import Pool
from tests.contract.ports.implementations import either
from tests.fakes.senders import MemorySuppressor
from tests.integration.outboxes import PatientOutbox
from tests.keyed import KEYED

_TOKEN = "token-of-this-test"


@dataclass
class Subject:
    """An implementation, and the world around it."""

    suppressor: Suppressor
    # The reasons that hold for an address of a tenant's.
    holds: Callable[[str, str], Awaitable[set[int]]]
    go_away: Callable[[], Awaitable[None]]


def _fake() -> Subject:
    suppressor = MemorySuppressor()

    async def holds(tenant_id: str, address: str) -> set[int]:
        found = [one for one in suppressor.wanted if (one.tenant_id, one.address) == (tenant_id, address)]
        return {one.reason for one in found}

    async def go_away() -> None:
        suppressor.away = True

    return Subject(suppressor, holds, go_away)


@pytest.fixture
async def real(pool: Pool, connection: Client) -> AsyncIterator[Subject]:
    """The router's service over gRPC, on PostgreSQL."""
    servicer = SuppressionServicer(SuppressionStore(pool, PatientOutbox(pool, "router", connection)), KEYED)
    address = f"127.0.0.1:{free_port()}"
    server = grpc.GrpcServer(address, token=_TOKEN)
    server.add(suppressions_pb2_grpc.add_SuppressionServiceServicer_to_server, servicer, SUPPRESSION_SERVICE)
    await server.start()

    async def holds(tenant_id: str, address: str) -> set[int]:
        request = suppressions_pb2.ListSuppressionsRequest(tenant_id=tenant_id, address=address)
        return {one.reason for one in (await servicer.ListSuppressions(request, None)).suppressions}

    async def go_away() -> None:
        await server.stop(0)

    async with grpc.channel(address) as channel:
        yield Subject(RouterSuppressor(channel, grpc.Caller(_TOKEN)), holds, go_away)
    await server.stop(0)


subject = either(_fake)


def _new(tenant_id: str, address: str, reason: int = suppression_list.BOUNCED) -> suppressions_pb2.NewSuppression:
    return suppressions_pb2.NewSuppression(
        tenant_id=tenant_id,
        channel=event_pb2.CHANNEL_EMAIL,
        address=address,
        reason=suppressions_pb2.SuppressionReason.ValueType(reason),
        source="resend",
        found_at_us=1_750_000_000_000_000,
    )


async def test_what_is_suppressed_holds(subject: Subject) -> None:
    """For its tenant alone, and for its reason; said again it is the same."""
    one, other = new_id(), new_id()
    wanted = [_new(one, "ada@example.org"), _new(one, "tom@example.org", suppression_list.UNSUBSCRIBED)]
    for _ in range(2):
        await subject.suppressor.suppress(wanted)
    assert await subject.holds(one, "ada@example.org") == {suppression_list.BOUNCED}
    assert await subject.holds(one, "tom@example.org") == {suppression_list.UNSUBSCRIBED}
    assert await subject.holds(other, "ada@example.org") == set()


async def test_nothing_or_too_much_at_a_time_is_refused(subject: Subject) -> None:
    """INVALID, and nothing of it holds."""
    tenant_id = new_id()
    for count in (0, 1001):
        with pytest.raises(ClarionError) as refused:
            await subject.suppressor.suppress([_new(tenant_id, "ada@example.org")] * count)
        assert refused.value.code is Code.INVALID
    assert await subject.holds(tenant_id, "ada@example.org") == set()


async def test_a_router_that_is_away(subject: Subject) -> None:
    """UNAVAILABLE: the provider is to say it again."""
    await subject.go_away()
    with pytest.raises(ClarionError) as away:
        await subject.suppressor.suppress([_new(new_id(), "ada@example.org")])
    assert away.value.code is Code.UNAVAILABLE
