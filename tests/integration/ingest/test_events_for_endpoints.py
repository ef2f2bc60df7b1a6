"""Events for endpoints and workflows on real servers: an ingest process, the bucket, a router, a broker that hangs."""

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import asyncpg
import grpc.aio
import msgspec
import pytest
from nats.aio.client import Client

from clarion.common.v1 import error_pb2, event_pb2
from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc, keys_pb2
from clarion.router.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime.bucket import ConfigurationBucket
from runtime.clock import now_us
from runtime.configuration import marker_key
from runtime.errors import ClarionError, Code
from runtime.grpc import KEY_METADATA, GrpcServer, from_rpc_error
from runtime.ids import new_id
from services.domain import topology
from services.domain.delivery_ids import delivery_id
from services.domain.endpoints import MAX_SUBSCRIBERS, State, Subscriber
from services.domain.workflows import Workflow
from tests.conftest import NatsServer, free_port
from tests.integration.ingest.conftest import PATIENT, Ingest, new_event
from tests.integration.ingest.processes import TOKEN, StartService
from tests.integration.ingest.published import TYPE, Published
from tests.streams import Streams
from tests.unit.senders.builders import encryption_key
from tests.waiting import eventually

_SECOND_US = 1_000_000

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@dataclass
class Router(endpoints_pb2_grpc.EndpointServiceServicer):
    """The router: it knows endpoints that are not published yet."""

    known: dict[str, endpoints_pb2.Endpoint] = field(default_factory=dict)

    async def GetEndpoint(  # noqa: N802
        self, request: endpoints_pb2.GetEndpointRequest, _: Any
    ) -> endpoints_pb2.GetEndpointResponse:
        """Return an endpoint."""
        if request.endpoint_id not in self.known:
            raise ClarionError(Code.NOT_FOUND, "There is no such endpoint.")
        return endpoints_pb2.GetEndpointResponse(endpoint=self.known[request.endpoint_id])


@dataclass
class Door:
    """An ingest process with a router beside it, and one tenant's endpoints."""

    ingest: Ingest
    router: Router
    server: GrpcServer
    published: Published

    async def accept(
        self, *events: ingest_pb2.NewEvent, revision: int = 0, deadline: float = 40
    ) -> list[ingest_pb2.AcceptResult]:
        """Hand in events as the gateway does."""
        items = [
            ingest_pb2.AcceptItem(tenant_id=self.published.tenant_id, event=event, revision=revision)
            for event in events
        ]
        request = ingest_pb2.AcceptEventsRequest(items=items)
        answer = await self.ingest.call("IngestService.AcceptEvents", request, deadline=deadline)
        return list(answer.results)

    async def settle(self) -> None:
        """Wait until the process's copy has what was published, however slow the machine is."""
        probe = await self.published.endpoint(active=False)

        async def is_there() -> bool:
            return (await self.send(probe)).error.code == error_pb2.ERROR_CODE_CONFLICT

        await eventually(is_there)

    async def trigger(self, revision: int = 0, **fields: Any) -> ingest_pb2.Accepted:
        """Accept an event for those that subscribe."""
        [result] = await self.accept(to_subscribers(**fields), revision=revision)
        assert not result.HasField("error"), result.error
        return result.accepted

    async def send(self, endpoint_id: str, key: str = "", **fields: Any) -> ingest_pb2.AcceptResult:
        """Hand in an event for one endpoint."""
        [result] = await self.accept(to_endpoint(endpoint_id, key, **fields))
        return result


@pytest.fixture
async def door(start: StartService, connection: Client) -> AsyncIterator[Door]:
    """One tenant before an ingest process."""
    router, address = Router(), f"127.0.0.1:{free_port()}"  # type: ignore[abstract]
    server = GrpcServer(address, token=TOKEN)
    name = "clarion.router.v1.EndpointService"
    server.add(endpoints_pb2_grpc.add_EndpointServiceServicer_to_server, router, name)
    await server.start()
    ingest = Ingest(await start("services.ingest", **PATIENT, CLARION_ROUTER_ADDRESS=address))
    tenant = await ingest.tenant()
    yield Door(ingest, router, server, Published(ConfigurationBucket(connection), tenant.tenant.id))
    await server.stop(0)


def to_subscribers(**fields: Any) -> ingest_pb2.NewEvent:
    """Return an event for those that subscribe, which has no duplicates."""
    to = ingest_pb2.ToEndpoints(subscribers=ingest_pb2.Subscribers())
    never = ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE)
    return ingest_pb2.NewEvent(**{"event_type": TYPE, "to_endpoints": to, "dedupe": never, **fields})


def to_endpoint(endpoint_id: str, key: str = "", **fields: Any) -> ingest_pb2.NewEvent:
    """Return an event for one endpoint."""
    to = ingest_pb2.ToEndpoints(endpoint_id=endpoint_id)
    kind = ingest_pb2.DEDUPE_KIND_KEY if key else ingest_pb2.DEDUPE_KIND_NONE
    deduped = ingest_pb2.Dedupe(kind=kind, key=key, ttl_s=7 * 86_400)
    return ingest_pb2.NewEvent(**{"event_type": TYPE, "to_endpoints": to, "dedupe": deduped, **fields})


def planned(event: event_pb2.Event, *endpoint_ids: str) -> list[tuple[str, str]]:
    """Return the deliveries as the router plans them."""
    return [(one, delivery_id(event, event_pb2.CHANNEL_WEBHOOK, one, step="webhook")) for one in endpoint_ids]


def told(accepted: ingest_pb2.Accepted | ingest_pb2.TriggerEventResponse) -> list[tuple[str, str]]:
    """Return the deliveries of an answer."""
    return [(delivery.endpoint_id, delivery.delivery_id) for delivery in accepted.deliveries]


async def test_create_subscribe_trigger(door: Door, streams: Streams) -> None:
    """What was published a moment ago counts: the event waits for the revision that its caller knows."""
    one, other = await door.published.endpoint(), await door.published.endpoint()
    for endpoint_ids in ((one,), (one, other), ()):
        revision = await door.published.subscribe(*endpoint_ids)

        async def reaches_them(
            revision: int = revision, expected: tuple[str, ...] = endpoint_ids
        ) -> ingest_pb2.Accepted | None:
            # At the first try, unless the copy needs longer than an event waits for it.
            found = await door.trigger(revision, metadata={"source": "checkout"})
            return found if [one for one, _ in told(found)] == list(expected) else None

        accepted = await eventually(reaches_them)
        assert accepted is not None
        event = (await streams.events())[-1]
        assert event.HasField("endpoints")
        assert list(event.endpoints.endpoint_ids) == list(endpoint_ids)
        assert told(accepted) == planned(event, *endpoint_ids)
        assert dict(event.metadata) == {"source": "checkout"}


async def test_create_a_workflow_and_trigger(door: Door, streams: Streams) -> None:
    """A type is known, and its workflows start, as soon as its caller knows the revision of the change."""
    tenant_id = door.published.tenant_id
    ada = event_pb2.Target(contact=event_pb2.Contact(recipient=event_pb2.Recipient(email="ada@example.org")))
    new = ingest_pb2.NewEvent(
        event_type="signup",
        audience=[ada],
        workflows=ingest_pb2.WorkflowChoice(by_type=ingest_pb2.ByType()),
        dedupe=ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_NONE),
    )
    await door.published.put(marker_key("router"), b"1")
    await door.settle()
    [unknown] = await door.accept(new)
    assert unknown.error.code == error_pb2.ERROR_CODE_NOT_FOUND
    workflow = Workflow(new_id(), 1)
    for version, listed in ((0, ()), (1, (workflow,)), (2, (msgspec.structs.replace(workflow, version=2),))):
        key = topology.workflows_key(tenant_id, "signup")
        revision = await door.published.put(key, msgspec.json.encode(listed))

        async def starts(revision: int = revision, version: int = version) -> bool:
            # At the first try, unless the copy needs longer than an event waits for it.
            [result] = await door.accept(new, revision=revision)
            found = [one.version for one in result.accepted.workflows]
            return result.HasField("accepted") and sum(found) == version

        await eventually(starts)
        event = (await streams.events())[-1]
        assert event.HasField("workflows")
        assert [(one.workflow_id, one.version) for one in event.workflows.workflows] == [
            (workflow.id, version) for _ in listed
        ]


async def test_what_fails_is_told_and_the_others_are_stored(door: Door, streams: Streams) -> None:
    """A full backlog, a secret of an unknown key, and a value that nobody can read."""
    good, full, sealed = [await door.published.endpoint(**fields) for fields in ({}, {}, {"key": encryption_key()})]
    broken = new_id()
    await door.published.put(topology.endpoint_key(door.published.tenant_id, broken), b"not json")
    await door.published.state(full, State(full=True))
    await door.published.subscribe(good, full, sealed, broken)
    await door.settle()
    accepted = await door.trigger()
    [event] = await streams.events()
    assert list(event.endpoints.endpoint_ids) == [good]
    assert told(accepted) == planned(event, good)
    assert {failure.endpoint_id: failure.reason for failure in accepted.failures} == {
        full: "endpoint_backlog_full",
        sealed: "secret_unreadable",
        broken: "internal_error",
    }
    assert all(failure.detail.endswith(".") for failure in accepted.failures)


async def test_a_send_to_one_endpoint(door: Door, streams: Streams) -> None:
    """The same key has the same delivery; what cannot be sent to is refused, each case by its code."""
    good = await door.published.endpoint()
    refusals = {
        await door.published.endpoint(active=False): Code.CONFLICT,
        await door.published.endpoint(door.published.test): Code.NOT_FOUND,
        await door.published.endpoint(key=encryption_key()): Code.INTERNAL,
        new_id(): Code.NOT_FOUND,
    }
    full = await door.published.endpoint()
    await door.published.state(full, State(full=True))
    await door.settle()
    refusals[full] = Code.LIMITED
    scope = door.published.live
    answers = await asyncio.gather(*[door.send(endpoint_id, "k", scope=scope) for endpoint_id in refusals])
    assert [answer.error.code for answer in answers] == [code.value for code in refusals.values()]
    repeats = [(await door.send(good, "k", scope=scope)).accepted for _ in range(3)]
    event = (await streams.events())[-1]
    assert [told(repeat) for repeat in repeats] == [planned(event, good)] * 3
    assert [repeat.duplicate for repeat in repeats] == [False, True, True]
    assert len(await streams.events()) == 1


async def test_an_endpoint_that_is_not_published_yet(door: Door, streams: Streams) -> None:
    """The router is asked; when it is away, what is known is accepted, and of the rest nobody can tell."""
    known, new = await door.published.endpoint(), new_id()
    await door.settle()
    door.router.known[new] = endpoints_pb2.Endpoint(id=new, environment_id=door.published.live, active=True)
    assert told((await door.send(new, "k")).accepted)
    await door.server.stop(0)
    assert (await door.send(new_id(), "k")).error.code == error_pb2.ERROR_CODE_UNAVAILABLE
    assert told((await door.send(known, "k")).accepted)
    assert [list(event.endpoints.endpoint_ids) for event in await streams.events()] == [[new], [known]]


async def test_the_largest_group_of_the_largest_events_is_answered(door: Door) -> None:
    """What each of 64 events sends to 5,000 endpoints is more than an answer usually may have."""
    listed = [Subscriber(new_id(), door.published.live) for _ in range(MAX_SUBSCRIBERS)]
    await door.published.subscribe(*[subscriber.endpoint_id for subscriber in listed])
    await door.settle()
    results = await door.accept(*[to_subscribers() for _ in range(64)], deadline=120)
    assert {len(result.accepted.deliveries) for result in results} == {MAX_SUBSCRIBERS}


async def test_a_caller_with_a_key_for_some_endpoints(door: Door, streams: Streams) -> None:
    """It names one of them, and nothing else; the answer tells the delivery."""
    mine, other = await door.published.endpoint(), await door.published.endpoint()
    await door.settle()
    request = keys_pb2.CreateKeyRequest(tenant_id=door.published.tenant_id, name="one endpoint", endpoint_ids=[mine])
    key = (await door.ingest.call("KeyService.CreateKey", request)).api_key
    for new in (to_endpoint(other), to_subscribers(), new_event()):
        with pytest.raises(ClarionError, match="only for the endpoints") as refused:
            await _trigger(door, key, new)
        assert refused.value.code is Code.FORBIDDEN
    answer = await _trigger(door, key, to_endpoint(mine))
    [event] = await streams.events()
    assert told(answer) == planned(event, mine)


async def test_a_broker_that_hangs_before_an_event_begins(
    door: Door, streams: Streams, nats_server: NatsServer, pool: Pool
) -> None:
    """TIMEOUT in time; when the broker answers again, that event is not stored, and the ones beside it are."""
    await door.accept(new_event("warm"))
    nats_server.process.send_signal(signal.SIGSTOP)
    first = asyncio.create_task(door.accept(new_event("first")))
    # Admitted, it is the next one that is appended: what is admitted later waits behind it.
    await eventually(lambda: pool.fetchval("SELECT count(*) = 2 FROM ingest.admission"))
    results = await door.accept(to_subscribers(answer_by_us=now_us() + _SECOND_US))
    assert [result.error.code for result in results] == [error_pb2.ERROR_CODE_TIMEOUT]
    assert not first.done()
    nats_server.process.send_signal(signal.SIGCONT)
    [stored] = await first
    [after] = await door.accept(new_event("after"))
    ids = [event.id for event in await streams.events()]
    assert ids[1:] == [stored.accepted.event_id, after.accepted.event_id]


async def test_a_broker_that_hangs_while_it_stores_an_event(
    door: Door, streams: Streams, nats_server: NatsServer
) -> None:
    """The answer comes, though the time is over: TIMEOUT would say that nothing is stored."""
    await door.accept(new_event("warm"))
    nats_server.process.send_signal(signal.SIGSTOP)
    by = now_us() + _SECOND_US // 2
    answer = asyncio.create_task(door.accept(to_subscribers(answer_by_us=by)))
    await eventually(lambda: now_us() > by + _SECOND_US // 4)
    assert not answer.done()
    nats_server.process.send_signal(signal.SIGCONT)
    [result] = await answer
    assert (await streams.events())[-1].id == result.accepted.event_id


async def test_a_time_that_is_over_stores_nothing(door: Door, streams: Streams) -> None:
    """Also of a caller with an API key, as DEADLINE_EXCEEDED."""
    [result] = await door.accept(to_subscribers(answer_by_us=now_us()))
    assert result.error.code == error_pb2.ERROR_CODE_TIMEOUT
    request = keys_pb2.CreateKeyRequest(tenant_id=door.published.tenant_id, name="k")
    key = (await door.ingest.call("KeyService.CreateKey", request)).api_key
    with pytest.raises(ClarionError) as refused:
        await _trigger(door, key, new_event(answer_by_us=1))
    assert refused.value.code is Code.TIMEOUT
    cause = refused.value.__cause__
    assert isinstance(cause, grpc.aio.AioRpcError)
    assert cause.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await streams.events() == []


async def _trigger(door: Door, key: str, event: ingest_pb2.NewEvent) -> ingest_pb2.TriggerEventResponse:
    stub = ingest_pb2_grpc.IngestServiceStub(door.ingest.service.channel)
    request = ingest_pb2.TriggerEventRequest(event=event)
    try:
        return await stub.TriggerEvent(request, timeout=30, metadata=((KEY_METADATA, key),))
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error
