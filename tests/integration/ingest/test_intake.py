"""Events of every form on real servers: whom they are for, when, and what makes a duplicate."""

from typing import Any

import grpc.aio
import pytest

from clarion.common.v1 import error_pb2, event_pb2
from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc, tenants_pb2
from runtime.clock import now_us
from runtime.errors import ClarionError, Code
from runtime.grpc import KEY_METADATA, from_rpc_error
from services.domain.delivery_ids import CURRENT_SCHEME
from tests.integration.ingest.conftest import PATIENT, Ingest, new_event
from tests.integration.ingest.processes import StartService
from tests.streams import Streams

_NONE, _KEY = ingest_pb2.DEDUPE_KIND_NONE, ingest_pb2.DEDUPE_KIND_KEY


@pytest.fixture
async def ingest(start: StartService) -> Ingest:
    """One ingest process, which waits for PostgreSQL however slow it is: without it nobody knows what is left."""
    return Ingest(await start("services.ingest", **PATIENT))


async def test_an_audience_is_stored_as_it_was_said(ingest: Ingest, streams: Streams) -> None:
    """Targets, exclusions, scope and time reach the stream, for whoever plans the event."""
    tenant = await ingest.tenant()
    ada = event_pb2.Target(recipient=event_pb2.Recipient(email="ada@example.org", locale="pt-BR", timezone="UTC"))
    audience = [ada, event_pb2.Target(recipient_id="u2"), event_pb2.Target(group="staff")]
    exclusions = [event_pb2.Target(recipient_id="u3")]
    due = now_us() + 3_600_000_000
    event = _event(audience=audience, exclusions=exclusions, scope="live", due_at_us=due)
    answer = await _trigger(ingest, tenant.api_key, event)
    [stored] = await streams.events()
    assert stored.id == answer.event_id
    assert (list(stored.audience), list(stored.exclusions)) == (audience, exclusions)
    assert (stored.scope, stored.due_at_us, stored.id_scheme) == ("live", due, CURRENT_SCHEME)
    assert not stored.HasField("recipient")
    again = await _trigger(
        ingest, tenant.api_key, _event(audience=reversed(audience), exclusions=exclusions, scope="live", due_at_us=due)
    )
    assert (again.event_id, again.duplicate) == (answer.event_id, True)


async def test_a_locale_in_the_body_is_the_recipients(ingest: Ingest, streams: Streams) -> None:
    """Of callers of earlier versions, over gRPC and through a gateway: the event says it in one place."""
    tenant = await ingest.tenant()
    event = new_event("1", payload_extra=b'{"locale":"pt_br"}')
    await _trigger(ingest, tenant.api_key, event)
    await ingest.accept(tenant.tenant.id, new_event("2", variables=b'{"locale":"de"}'))
    assert sorted(stored.recipient.locale for stored in await streams.events()) == ["de", "pt-BR"]


async def test_nobody_is_told_whom_a_forgotten_recipient_was(ingest: Ingest, streams: Streams) -> None:
    """A caller with a key is refused; a gateway may have an event for nobody."""
    tenant = await ingest.tenant()
    with pytest.raises(ClarionError) as refused:
        await _trigger(ingest, tenant.api_key, _event())
    assert [field for field, _ in refused.value.fields] == ["recipient.user_id"]
    [result] = await ingest.accept(tenant.tenant.id, _event())
    [stored] = await streams.events()
    assert stored.id == result.accepted.event_id
    assert not stored.HasField("recipient")


async def test_without_deduplication_two_calls_are_two_events(ingest: Ingest, streams: Streams) -> None:
    """Also in one group, and one after another."""
    tenant_id = (await ingest.tenant()).tenant.id
    never = new_event(dedupe=ingest_pb2.Dedupe(kind=_NONE))
    results = [*await ingest.accept(tenant_id, never, never), *await ingest.accept(tenant_id, never)]
    assert [result.accepted.duplicate for result in results] == [False] * 3
    assert {event.id for event in await streams.events()} == {result.accepted.event_id for result in results}
    assert len({result.accepted.event_id for result in results}) == 3


async def test_the_receipt_reaches_the_gateway(ingest: Ingest) -> None:
    """What is left of each rate, and whether a repeat differs, of each event of a group."""
    tenant_id = (await ingest.tenant(rate_limit_per_minute=10)).tenant.id
    asked = [new_event("1"), new_event("1", user_id="u2"), new_event("2")]
    first, repeat, second = [
        result.accepted
        for result in [*await ingest.accept(tenant_id, asked[0]), *await ingest.accept(tenant_id, *asked[1:])]
    ]
    assert (repeat.duplicate, repeat.differs, first.differs) == (True, True, False)
    assert not repeat.limits
    left = [
        (limit.kind, limit.window_s, limit.bound, limit.remaining) for one in (first, second) for limit in one.limits
    ]
    assert left == [(error_pb2.LIMIT_KIND_SLIDING, 60, 10, remaining) for remaining in (9, 8)]


async def test_a_limit_that_is_reached_is_told_in_full(ingest: Ingest) -> None:
    """Over gRPC and in a group: which limit, how much, and when it admits again."""
    request = tenants_pb2.CreateTenantRequest(name="Acme", daily_cap=1)
    tenant = await ingest.call("TenantService.CreateTenant", request)
    await ingest.accept(tenant.tenant.id, new_event("1"))
    [result] = await ingest.accept(tenant.tenant.id, new_event("2"))
    with pytest.raises(ClarionError) as refused:
        await _trigger(ingest, tenant.api_key, new_event("2"))
    for error in (ClarionError.from_proto(result.error), refused.value):
        limit = error.limit
        assert limit is not None
        assert (error.code, error.detail) == (
            Code.LIMITED,
            "Too many events: the limit is 1 in a day. Send it again later.",
        )
        assert (limit.kind, limit.window_s, limit.bound, limit.remaining) == (error_pb2.LIMIT_KIND_FIXED, 86_400, 1, 0)
        assert 0 < limit.reset_s <= 86_400


async def test_a_key_of_another_scope_is_another_event(ingest: Ingest) -> None:
    """Whichever process asks: the scope is part of what is stored."""
    tenant_id = (await ingest.tenant()).tenant.id
    scopes = ["", "live", "test"]
    events = [new_event(dedupe=ingest_pb2.Dedupe(kind=_KEY, key="k", scope=scope)) for scope in scopes]
    results = await ingest.accept(tenant_id, *events)
    repeats = await ingest.accept(tenant_id, *events)
    assert len({result.accepted.event_id for result in results}) == 3
    assert [result.accepted.event_id for result in repeats] == [result.accepted.event_id for result in results]


def _event(**fields: Any) -> ingest_pb2.NewEvent:
    return ingest_pb2.NewEvent(event_type="order.confirmed", **fields)


async def _trigger(ingest: Ingest, key: str, event: ingest_pb2.NewEvent) -> ingest_pb2.TriggerEventResponse:
    stub = ingest_pb2_grpc.IngestServiceStub(ingest.service.channel)
    request = ingest_pb2.TriggerEventRequest(event=event)
    try:
        return await stub.TriggerEvent(request, timeout=30, metadata=((KEY_METADATA, key),))
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error
