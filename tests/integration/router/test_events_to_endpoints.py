"""Events that go to endpoints: the router as a process, on real NATS."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import catalogs_pb2, endpoints_pb2, router_pb2
from runtime import clock, nats
from runtime.errors import ClarionError
from runtime.ids import new_id
from services.domain import topology
from services.domain.delivery_ids import delivery_id
from services.domain.endpoints import event_type_id
from services.router.messages import MAX_PLANNED
from tests.conftest import NatsServer
from tests.fakes.router import Owners
from tests.integration.ingest import builders
from tests.integration.ingest.processes import Service, StartService
from tests.integration.router.conftest import Bucket, Routed
from tests.streams import Streams
from tests.waiting import eventually

TYPE = "order.confirmed"
TENANT = new_id()
WEBHOOK = event_pb2.CHANNEL_WEBHOOK
_PAID = '{"==":[{"var":"payload.status"},"paid"]}'


class Shop:
    """A tenant whose events are pushed and go to the endpoints that subscribe."""

    def __init__(self, router: Service, routed: Routed) -> None:
        self.router = router
        self._routed = routed

    async def environment(self, slug: str) -> str:
        """Create an environment; return its id, which is a scope."""
        request = catalogs_pb2.CreateEnvironmentRequest(tenant_id=TENANT, name=slug, slug=slug)
        return str((await self.router.call("CatalogService.CreateEnvironment", request)).environment.id)

    async def endpoint(self, rule: str = "", *, event_type: str = TYPE, environment_id: str = "") -> str:
        """Create an endpoint that subscribes to a type; return its id when plans have it. rule: its filter."""
        url = "https://shop.example/hook"
        wanted = endpoints_pb2.Endpoint(url=url, environment_id=environment_id)
        created = await self.router.call(
            "EndpointService.CreateEndpoint", endpoints_pb2.CreateEndpointRequest(tenant_id=TENANT, endpoint=wanted)
        )
        endpoint_id = str(created.endpoint.id)
        subscription = endpoints_pb2.SubscribeRequest(
            tenant_id=TENANT,
            endpoint_id=endpoint_id,
            event_type_ids=[await self._event_type(event_type)],
            filter=rule.encode() or None,
        )
        await self.router.call("EndpointService.Subscribe", subscription)
        explained = router_pb2.ExplainRouteRequest(
            tenant_id=TENANT, event_type=event_type, recipient=event_pb2.Recipient(user_id="u")
        )

        async def is_known() -> bool:
            answer = await self.router.call("RouterService.ExplainRoute", explained)
            return any(one.endpoint_id == endpoint_id for one in answer.route.deliveries)

        await eventually(is_known)
        return endpoint_id

    async def _event_type(self, name: str) -> str:
        with contextlib.suppress(ClarionError):  # there is one already
            request = catalogs_pb2.CreateEventTypeRequest(tenant_id=TENANT, name=name)
            await self.router.call("CatalogService.CreateEventType", request)
        return event_type_id(TENANT, name)

    async def decisions(self, event_id: str) -> dict[str, str]:
        """Return the reason of each endpoint, "" where it gets the event. AssertionError: not planned yet."""
        return {one.endpoint_id: one.reason for one in await self.planned(event_id) if one.channel == WEBHOOK}

    async def planned(self, event_id: str) -> Sequence[trace_pb2.PlannedDelivery]:
        """Return all decisions on an event, however many records have them. AssertionError: they are not all there."""
        found = [one for one in await self._routed.all_records() if one.event_id == event_id]
        records = [one.routed for one in found if one.HasField("routed")]
        closing = [one for one in records if not one.continues]
        assert closing
        planned = {one.delivery_id: one for record in records for one in record.deliveries}
        assert len(planned) == (closing[0].total or len(closing[0].deliveries))
        assert all(len(record.deliveries) <= MAX_PLANNED for record in records)
        return list(planned.values())


@pytest.fixture
async def shop(start: StartService, bucket: Bucket, routed: Routed) -> Shop:
    """A running router that knows the tenant."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, PUSH="v1")
    return Shop(await start("services.router"), routed)


def _named(*endpoint_ids: str, **fields: Any) -> event_pb2.Event:
    """An event for these endpoints and no people."""
    named = event_pb2.EndpointSet(endpoint_ids=endpoint_ids)
    event = builders.event(TENANT, id_scheme=1, endpoints=named, **fields)
    event.ClearField("recipient")
    return event


def _ids(number: int) -> list[str]:
    return [new_id() for _ in range(number)]


async def test_subscribers_get_an_event_beside_its_recipient(
    shop: Shop, streams: Streams, routed: Routed, owners: Owners
) -> None:
    """A delivery each, on the channel's own subject, with its id as message id; the body is the event's."""
    live, test = await shop.environment("live"), await shop.environment("test")
    first, second = await shop.endpoint(environment_id=live), await shop.endpoint(_PAID, environment_id=live)
    await shop.endpoint(environment_id=test)
    event = builders.event(TENANT, id_scheme=1, scope=live, variables=b'{"status":"paid"}', payload_extra=b'{"a":1}')
    await streams.publish(builders.accepted(event), builders.accepted(event))
    await eventually(routed.all_acked)
    assert await shop.decisions(event.id) == {first: "", second: ""}
    deliveries = await routed.deliveries()
    assert [(one.channel, one.webhook.endpoint_id) for one in deliveries] == [
        (event_pb2.CHANNEL_PUSH, ""),
        (WEBHOOK, first),
        (WEBHOOK, second),
    ]
    assert [one.id for one in deliveries[1:]] == [
        delivery_id(event, WEBHOOK, one, step="webhook") for one in (first, second)
    ]
    assert {(one.variables, one.payload_extra) for one in deliveries[1:]} == {(event.variables, b"")}
    assert not any(one.HasField("recipient") for one in deliveries[1:])
    assert (await streams.subjects(topology.DELIVERIES))[1:] == [topology.delivery_subject(WEBHOOK, TENANT)] * 2
    assert [header[nats.MSG_ID] for header in await streams.headers(topology.DELIVERIES)] == [
        one.id for one in deliveries
    ]
    assert owners.asked == []


async def test_filters_and_requests(shop: Shop, streams: Streams, routed: Routed) -> None:
    """What keeps an event from an endpoint stands in its record, and nothing else of the event is affected."""
    plain, filtered, broken = [await shop.endpoint(rule) for rule in ("", _PAID, '{"+":["x",1]}')]
    unpaid = builders.event(TENANT, id_scheme=1, variables=b'{"status":"open"}')
    only_push = builders.event(TENANT, id_scheme=1, channels=[event_pb2.CHANNEL_PUSH])
    named = _named(plain, filtered, variables=b'{"status":"paid"}', channels=[event_pb2.CHANNEL_PUSH])
    await streams.publish(*[builders.accepted(one) for one in (unpaid, only_push, named)])
    await eventually(routed.all_acked)
    assert await shop.decisions(unpaid.id) == {plain: "", filtered: "not_matched", broken: "not_matched"}
    assert set((await shop.decisions(only_push.id)).values()) == {"not_requested"}
    assert await shop.decisions(named.id) == {plain: "", filtered: ""}
    sent = [(one.event_id, one.channel) for one in await routed.deliveries()]
    assert sorted(sent) == sorted(
        [
            (unpaid.id, event_pb2.CHANNEL_PUSH),
            (unpaid.id, WEBHOOK),
            (only_push.id, event_pb2.CHANNEL_PUSH),
            (named.id, WEBHOOK),
            (named.id, WEBHOOK),
        ]
    )
    assert "filters_failed" in shop.router.log.read_text()


async def test_a_type_without_templates(shop: Shop, streams: Streams, routed: Routed, owners: Owners) -> None:
    """Its subscribers get it, and the record says why nobody was notified; without subscribers it says so, too."""
    endpoint = await shop.endpoint(event_type="order.shipped")
    event = builders.event(TENANT, event_type="order.shipped", id_scheme=1)
    nobody = _named(event_type="no.such")
    await streams.publish(builders.accepted(event), builders.accepted(nobody))
    await eventually(routed.all_acked)
    assert await shop.decisions(event.id) == {endpoint: ""}
    records = await routed.records()
    assert records[event.id].reason == "no_active_template"
    assert (records[nobody.id].reason, list(records[nobody.id].deliveries)) == ("no_subscriber", [])
    assert [one.webhook.endpoint_id for one in await routed.deliveries()] == [endpoint]
    assert "GetTenant" not in owners.asked


async def test_a_thousand_endpoints(shop: Shop, streams: Streams, routed: Routed) -> None:
    """All of them, each once, though the event comes twice; a body that would be copied a thousand times is not."""
    endpoint_ids = _ids(1_200)
    many = _named(*endpoint_ids, variables=json.dumps({"text": "x" * 1_000}).encode())
    small = builders.event(TENANT, id_scheme=1)
    await streams.publish(builders.accepted(many), builders.accepted(small), builders.accepted(many))
    await eventually(routed.all_acked)
    assert await shop.decisions(many.id) == dict.fromkeys(endpoint_ids, "")
    webhooks = [one for one in await routed.deliveries() if one.channel == WEBHOOK]
    assert [one.webhook.endpoint_id for one in webhooks] == endpoint_ids
    assert len({one.id for one in webhooks}) == 1_200
    first = (await streams.events())[0]
    assert first.id == many.id
    assert {(one.variables, one.body_reference.sequence) for one in webhooks} == {(b"", 1)}


async def test_killed_while_it_fans_out(
    start: StartService, shop: Shop, streams: Streams, routed: Routed, nats_server: NatsServer
) -> None:
    """Kill -9 of one of two routers, then of NATS: each endpoint's delivery is there, none twice."""
    await start("services.router")
    endpoint_ids = _ids(400)
    events = [_named(*endpoint_ids) for _ in range(20)]
    publishing = asyncio.create_task(streams.publish(*[builders.accepted(event) for event in events]))
    await eventually(lambda: streams.count(topology.DELIVERIES), every=0.001)
    shop.router.kill()
    nats_server.kill()
    await asyncio.to_thread(nats_server.start)
    await publishing

    async def complete() -> bool:
        return await streams.count(topology.DELIVERIES) >= 20 * 400 and await routed.all_acked()

    await eventually(complete, 120)
    found = [(one.event_id, one.webhook.endpoint_id) for one in await routed.deliveries()]
    assert len(found) == len(set(found)) == 20 * 400
    for event in events:
        assert len(await shop.decisions(event.id)) == 400


async def test_an_event_that_is_due_later(shop: Shop, streams: Streams, routed: Routed) -> None:
    """It goes to its endpoints when it is due; a filter reads the body that is stored beside it."""
    matching, other = [await shop.endpoint(rule) for rule in (_PAID, '{"==":[{"var":"payload.status"},"open"]}')]
    body = json.dumps({"status": "paid", "text": "x" * 3_000}).encode()
    due_us = clock.now_us() + 1_500_000
    event = builders.event(TENANT, id_scheme=1, variables=body, due_at_us=due_us)
    event.accepted_at_us = clock.now_us()
    named = _named(matching, due_at_us=due_us)
    named.accepted_at_us = event.accepted_at_us
    await streams.publish(builders.accepted(event), builders.accepted(named))
    await eventually(lambda: _is_true(shop.decisions(event.id), {matching: "", other: "not_matched"}))
    await eventually(lambda: _is_true(shop.decisions(named.id), {matching: "not_matched"}))
    (webhook,) = [one for one in await routed.deliveries() if one.channel == WEBHOOK]
    assert (webhook.webhook.endpoint_id, webhook.variables) == (matching, b"")
    assert webhook.body_reference.sequence == 1


async def _is_true(found: Awaitable[object], wanted: object) -> bool:
    try:
        return await found == wanted
    except AssertionError:  # not planned yet
        return False
