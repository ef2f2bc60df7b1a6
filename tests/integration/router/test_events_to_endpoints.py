"""Events that go to endpoints: the router as a process, on real NATS."""

import asyncio
import json
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import router_pb2
from runtime import clock, nats
from runtime.ids import new_id
from services.domain import topology
from services.domain.delivery_ids import delivery_id
from services.domain.endpoints import Subscriber
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

    def __init__(self, router: Service, bucket: Bucket, routed: Routed) -> None:
        self.router = router
        self._bucket = bucket
        self._routed = routed

    async def subscribe(self, *subscribers: Subscriber, event_type: str = TYPE) -> None:
        """Publish subscriptions; return when the router knows them."""
        await self._bucket.put(topology.subscribers_key(TENANT, event_type), subscribers)
        wanted = [one.endpoint_id for one in subscribers]
        request = router_pb2.ExplainRouteRequest(
            tenant_id=TENANT, event_type=event_type, recipient=event_pb2.Recipient(user_id="u")
        )

        async def known() -> bool:
            answer = await self.router.call("RouterService.ExplainRoute", request)
            return [one.endpoint_id for one in answer.route.deliveries if one.endpoint_id] == wanted

        await eventually(known)

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
    """A running router that knows the tenant, and has removed what its tables do not have from the bucket."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, PUSH="v1")
    compared = await bucket.compared("router")
    router = await start("services.router")
    await eventually(lambda: _is_later(bucket.compared("router"), compared))
    return Shop(router, bucket, routed)


async def _is_later(revision: Awaitable[int], before: int) -> bool:
    return await revision > before


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
    first, second, other = _ids(3)
    await shop.subscribe(Subscriber(first, "live"), Subscriber(second, "live", _PAID), Subscriber(other, "test"))
    event = builders.event(TENANT, id_scheme=1, scope="live", variables=b'{"status":"paid"}', payload_extra=b'{"a":1}')
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
    plain, filtered, broken = _ids(3)
    await shop.subscribe(
        Subscriber(plain, "live"), Subscriber(filtered, "live", _PAID), Subscriber(broken, "live", '{"+":["x",1]}')
    )
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
    (endpoint,) = _ids(1)
    await shop.subscribe(Subscriber(endpoint, "live"), event_type="order.shipped")
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
    """It goes to those that subscribe when it is due; a filter reads the body that is stored beside it."""
    matching, other = _ids(2)
    body = json.dumps({"status": "paid", "text": "x" * 3_000}).encode()
    due_us = clock.now_us() + 1_500_000
    event = builders.event(TENANT, id_scheme=1, variables=body, due_at_us=due_us)
    event.accepted_at_us = clock.now_us()
    named = _named(matching, due_at_us=due_us)
    named.accepted_at_us = event.accepted_at_us
    await streams.publish(builders.accepted(event), builders.accepted(named))
    await shop.subscribe(
        Subscriber(matching, "live", _PAID), Subscriber(other, "live", '{"==":[{"var":"payload.status"},"open"]}')
    )
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
