"""Suppressions on a router process: stored, published, obeyed, lifted; and known without PostgreSQL."""

import asyncio
from typing import Any

import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.router.v1 import suppressions_pb2
from runtime import bucket_keys, clock, configuration, postgres
from runtime.bucket import ConfigurationBucket as SharedBucket
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from runtime.reconcile import Reconciler
from services.domain import suppression_list, topology
from services.router import configuration_sources
from tests import keyed
from tests.conftest import PostgresServer
from tests.integration.ingest import builders
from tests.integration.ingest.processes import Service, StartService
from tests.integration.router.conftest import Bucket, Routed
from tests.keyed import KEYED
from tests.streams import Streams
from tests.waiting import eventually

TYPE = "order.confirmed"
TENANT, OTHER = new_id(), new_id()
EMAIL, SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS


def _new(address: str, reason: Any = suppression_list.BOUNCED, **more: Any) -> suppressions_pb2.NewSuppression:
    fields = {"tenant_id": TENANT, "channel": EMAIL, "source": "resend", **more}
    return suppressions_pb2.NewSuppression(address=address, reason=reason, **fields)


async def _suppress(router: Service, *wanted: suppressions_pb2.NewSuppression) -> list[suppressions_pb2.Suppression]:
    request = suppressions_pb2.SuppressRequest(suppressions=wanted)
    return list((await router.call("SuppressionService.Suppress", request)).suppressions)


async def _list(router: Service, **filters: Any) -> list[suppressions_pb2.Suppression]:
    request = suppressions_pb2.ListSuppressionsRequest(**filters)
    return list((await router.call("SuppressionService.ListSuppressions", request)).suppressions)


async def _lift(router: Service, suppression_id: str) -> None:
    request = suppressions_pb2.LiftSuppressionRequest(suppression_id=suppression_id)
    await router.call("SuppressionService.LiftSuppression", request)


async def _decision(streams: Streams, routed: Routed, email: str, tenant_id: str = TENANT) -> str:
    event = builders.event(tenant_id, email=email, phone="+254712345678")
    await streams.publish(builders.accepted(event))

    async def decided() -> bool:
        return event.id in await routed.records()

    await eventually(decided)
    return (await routed.decisions(event.id))["email"]


async def test_a_suppressed_address_is_skipped_until_it_is_lifted(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed
) -> None:
    """For its own tenant and channel, however the address is written; the next event after the lift is sent."""
    for tenant_id in (TENANT, OTHER):
        await bucket.tenant(tenant_id)
        await bucket.templates(tenant_id, TYPE, EMAIL="v1", SMS="v2")
    router = await start("services.router")
    (made,) = await _suppress(router, _new("ada@example.org", detail="550 no such user"))
    assert (made.masked, made.source, made.detail) == ("a…@example.org", "resend", "550 no such user")

    async def reason(expected: str) -> bool:
        return await _decision(streams, routed, "ADA@example.org") == expected

    await eventually(lambda: reason("suppressed_bounced"))
    assert await _decision(streams, routed, "bob@example.org") == ""
    assert await _decision(streams, routed, "ada@example.org", OTHER) == ""
    await _lift(router, made.id)
    await eventually(lambda: reason(""))
    with pytest.raises(ClarionError) as fault:
        await _lift(router, made.id)
    assert fault.value.code is Code.NOT_FOUND


async def test_an_unsubscribed_address_gets_transactional_mail(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed
) -> None:
    """Only the template marked as subscribed is skipped, and what is sent by such a one says so."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, EMAIL="v1")
    news = [{"channel": "EMAIL", "template_version_id": "v2", "subscribed": True}]
    await bucket.put(topology.templates_key(TENANT, "news"), news)
    router = await start("services.router")
    first = builders.event(TENANT, event_type="news", email="ada@example.org")
    await streams.publish(builders.accepted(first))
    await eventually(routed.all_acked)
    assert [one.subscribed for one in await routed.deliveries()] == [True]
    await _suppress(router, _new("ada@example.org", suppression_list.UNSUBSCRIBED, source="recipient"))

    async def news_reason() -> bool:
        event = builders.event(TENANT, event_type="news", email="ada@example.org")
        await streams.publish(builders.accepted(event))
        await eventually(routed.all_acked)
        return (await routed.decisions(event.id))["email"] == "suppressed_unsubscribed"

    await eventually(news_reason)
    assert await _decision(streams, routed, "ada@example.org") == ""


async def test_a_restart_without_postgresql_forgets_nobody(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed, postgres_server: PostgresServer
) -> None:
    """What is suppressed travels in the configuration; a router that starts without its database knows it."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, EMAIL="v1")
    router = await start("services.router")
    await _suppress(router, _new("ada@example.org"))
    router.stop()
    postgres_server.kill()
    try:
        again = await start("services.router")
        assert await _decision(streams, routed, "ada@example.org") == "suppressed_bounced"
        with pytest.raises(ClarionError) as fault:
            await _list(again, tenant_id=TENANT)
        assert fault.value.code is Code.UNAVAILABLE
    finally:
        postgres_server.start()


async def test_repeats_reasons_and_old_news(start: StartService, bucket: Bucket) -> None:
    """One row for each reason; what was found out before a lift does not undo it, what came later does."""
    router = await start("services.router")
    before = clock.now_us()
    first, same, complaint = await _suppress(
        router, _new("ada@example.org"), _new("Ada@Example.org"), _new("ada@example.org", suppression_list.COMPLAINED)
    )
    assert first.id == same.id != complaint.id
    await _lift(router, first.id)
    (stays,) = await _suppress(router, _new("ada@example.org", found_at_us=before))
    assert stays.id == ""
    assert [one.id for one in await _list(router, tenant_id=TENANT)] == [complaint.id]
    (again,) = await _suppress(router, _new("ada@example.org"))
    assert again.id not in ("", first.id)
    assert {one.id for one in await _list(router, tenant_id=TENANT)} == {again.id, complaint.id}


async def test_many_at_once_and_from_several_sides_are_all_published(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed
) -> None:
    """Two routers change the same shards at a time; neither's addresses get lost."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, EMAIL="v1")
    one, two = await start("services.router"), await start("services.router")
    names = [f"user{number}@example.org" for number in range(120)]
    await asyncio.gather(
        *[_suppress((one, two)[index % 2], *map(_new, names[index : index + 30])) for index in range(0, 120, 30)],
        *[_suppress(two, _new(name)) for name in names[:20]],
    )

    async def all_are_known() -> bool:
        events = [builders.event(TENANT, email=name) for name in names]
        await streams.publish(*map(builders.accepted, events))
        await eventually(routed.all_acked)
        records = await routed.records()
        return {records[event.id].deliveries[0].reason for event in events} == {"suppressed_bounced"}

    await eventually(all_are_known)


async def test_lists_page_filter_and_search(start: StartService, bucket: Bucket) -> None:
    """By tenant, channel, reason and address, newest first, a page at a time."""
    router = await start("services.router")
    await _suppress(router, *[_new(f"user{number}@example.org") for number in range(5)])
    await _suppress(router, _new("+254712345678", suppression_list.MANUAL, channel=SMS))
    await _suppress(router, _new("eve@example.org", tenant_id=OTHER))
    pages: list[int] = []
    cursor = ""
    while not pages or cursor:
        request = suppressions_pb2.ListSuppressionsRequest(tenant_id=TENANT, limit=4, cursor=cursor)
        answer = await router.call("SuppressionService.ListSuppressions", request)
        pages.append(len(answer.suppressions))
        cursor = answer.next_cursor
    assert pages == [4, 2]
    assert [one.masked for one in await _list(router, tenant_id=TENANT, channel=SMS)] == ["+254…678"]
    assert len(await _list(router, reason=suppression_list.BOUNCED)) == 6
    assert [one.masked for one in await _list(router, tenant_id=TENANT, address="USER3@example.org")] == [
        "u…@example.org"
    ]
    assert await _list(router, tenant_id=OTHER, address="user3@example.org") == []


async def test_what_the_broker_has_forgotten_is_published_again(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed, connection: Client
) -> None:
    """A bucket from before: an address is missing there, another one was lifted since; a start puts both right."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, EMAIL="v1")
    router = await start("services.router")
    held, lifted = await _suppress(router, _new("ada@example.org"), _new("bob@example.org"))
    await _lift(router, lifted.id)
    router.stop()
    config = await connection.jetstream().key_value(bucket_keys.BUCKET)
    ada, bob = (suppression_list.digest(KEYED, TENANT, EMAIL, f"{name}@example.org") for name in ("ada", "bob"))
    await config.purge(topology.suppressions_key(TENANT, suppression_list.shard(ada)))
    await config.put(topology.suppressions_key(TENANT, suppression_list.shard(bob)), suppression_list.pack([(bob, 1)]))
    router = await start("services.router")

    async def mended() -> bool:
        reasons = [await _decision(streams, routed, f"{name}@example.org") for name in ("ada", "bob")]
        return reasons == ["suppressed_bounced", ""]

    await eventually(mended)
    assert [one.id for one in await _list(router, tenant_id=TENANT)] == [held.id]


async def test_a_router_on_a_lost_bucket_waits_for_what_it_must_know(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed, connection: Client
) -> None:
    """It publishes its own part again, routes nothing while an owner has not filled its own, and then skips."""
    router = await start("services.router")
    await _suppress(router, _new("ada@example.org"))
    router.stop()
    await connection.jetstream(timeout=60).purge_stream("KV_CONFIG")
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, EMAIL="v1")
    event = builders.event(TENANT, email="ada@example.org")
    await streams.publish(builders.accepted(event))
    starting = asyncio.create_task(start("services.router"))
    stored = SharedBucket(connection)

    async def is_published() -> bool:
        return (await stored.newest(configuration.marker_key("router"))).value is not None

    await eventually(is_published, 60)
    assert not starting.done()
    assert not await routed.all_acked()
    await configuration.mark_complete(connection, ["render"])
    assert not starting.done()
    await configuration.mark_complete(connection, ["ingest"])
    await keyed.announce(connection)
    await starting
    await eventually(routed.all_acked)
    assert (await routed.decisions(event.id))["email"] == "suppressed_bounced"


async def test_what_is_published_already_is_left_alone(
    start: StartService, bucket: Bucket, postgres_url: str, connection: Client
) -> None:
    """The tables and the bucket are compared by sums that both sides make alike, several reasons of one included."""
    router = await start("services.router")
    names = [f"user{number}@example.org" for number in range(50)]
    await _suppress(router, *map(_new, names), *[_new(name, suppression_list.UNSUBSCRIBED) for name in names[:25]])
    pool = await postgres.connect(postgres_url, name="test", size=2)
    try:
        reconciler = Reconciler(pool, connection, configuration_sources.OWNER, configuration_sources.SOURCES)
        assert (await reconciler.differences()).total == 0
        await connection.jetstream(timeout=60).purge_stream("KV_CONFIG", subject="$KV.CONFIG.suppressed.>")
        found = await reconciler.differences()
        assert (
            found.missing
            == found.total
            == len({suppression_list.digest(KEYED, TENANT, EMAIL, one)[0] for one in names})
        )
    finally:
        await pool.close()
