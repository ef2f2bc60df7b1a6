"""From EVENTS to DELIVERIES and TRACE: one delivery for each channel, with reasons, whatever dies or is garbled."""

import asyncio
from collections.abc import Awaitable

import pytest

from clarion.common.v1 import event_pb2
from clarion.render.v1 import templates_pb2
from clarion.router.v1 import recipients_pb2, router_pb2
from runtime import nats
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import channels, topology
from tests.conftest import NatsServer
from tests.fakes.router import Owners
from tests.integration.ingest import builders
from tests.integration.ingest.processes import StartService
from tests.integration.router.conftest import Bucket, Routed
from tests.streams import Streams
from tests.waiting import eventually

TYPE = "order.confirmed"
FULL = {"email": "ada@example.org", "phone": "+254712345678"}
TENANT = new_id()


async def test_one_delivery_for_each_channel(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed, owners: Owners
) -> None:
    """Each delivery has its id as message id and its channel's lane as subject; TRACE has the decision."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, EMAIL="v1", SMS="v2", PUSH="v3")
    await start("services.router")
    event = builders.event(TENANT, **FULL)
    await streams.publish(builders.accepted(event), builders.accepted(event))  # the same one twice
    await eventually(routed.all_acked)
    deliveries = await routed.deliveries()
    assert [(one.channel, one.template_version_id, one.provider_id) for one in deliveries] == [
        (event_pb2.CHANNEL_EMAIL, "v1", "p-mail"),
        (event_pb2.CHANNEL_SMS, "v2", "p-sms"),
        (event_pb2.CHANNEL_PUSH, "v3", ""),
    ]
    headers = await streams.headers(topology.DELIVERIES)
    assert [header[nats.MSG_ID] for header in headers] == [one.id for one in deliveries]
    subjects = await streams.subjects(topology.DELIVERIES)
    assert subjects == [topology.delivery_subject(one.channel, TENANT) for one in deliveries]
    assert await routed.decisions(event.id) == {"email": "", "sms": "", "push": ""}
    assert owners.asked == []


async def test_skips_are_recorded(start: StartService, bucket: Bucket, streams: Streams, routed: Routed) -> None:
    """Policy, request, address, provider, template: each with its reason."""
    other, unknown = new_id(), new_id()
    await bucket.tenant(TENANT, channels=("EMAIL", "SMS"))
    await bucket.put(topology.tenant_key(other), {"id": other})
    for tenant_id in (TENANT, other):
        await bucket.templates(tenant_id, TYPE, EMAIL="v1", SMS="v2", PUSH="v3")
    await bucket.templates(unknown, TYPE, PUSH="v4")
    await start("services.router")
    asked = builders.event(TENANT, channels=[event_pb2.CHANNEL_SMS], **FULL)
    bare = builders.event(other, email="not an address")
    nothing = builders.event(other, event_type="no.such", **FULL)
    nobody = builders.event(unknown, **FULL)
    await streams.publish(*[builders.accepted(event) for event in (asked, bare, nothing, nobody)])
    await eventually(routed.all_acked)
    assert await routed.decisions(asked.id) == {"email": "not_requested", "sms": "", "push": "tenant_policy"}
    assert await routed.decisions(bare.id) == {"email": "malformed_email", "sms": "missing_phone", "push": ""}
    records = await routed.records()
    assert records[nothing.id].reason == "no_active_template"
    assert records[nobody.id].reason == "tenant_unknown"
    assert len(await routed.deliveries()) == 2


async def test_templates_take_effect(start: StartService, bucket: Bucket, streams: Streams, routed: Routed) -> None:
    """A template is activated, replaced and deactivated while the router runs: the next event uses the change."""
    await bucket.tenant(TENANT)
    await start("services.router")

    async def versions_of_next() -> set[str]:
        event = builders.event(TENANT, **FULL)
        await streams.publish(builders.accepted(event))
        await eventually(lambda: _is_routed(routed, event.id))
        return {one.template_version_id for one in await routed.deliveries() if one.event_id == event.id}

    for versions in ({"SMS": "v1"}, {"SMS": "v2"}, {"SMS": "v2", "EMAIL": "v3"}, {"EMAIL": "v3"}, {}):
        await bucket.templates(TENANT, TYPE, **versions)
        wanted = set(versions.values())
        await eventually(lambda wanted=wanted: _equal(versions_of_next(), wanted))


async def test_the_platforms_templates_are_used_where_the_tenant_has_none(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed
) -> None:
    """A tenant's own template replaces the platform's of its channel and no other."""
    await bucket.tenant(TENANT)
    await bucket.templates("", "global.info", SMS="platform", PUSH="platform")
    await bucket.templates(TENANT, "global.info", SMS="own")
    await start("services.router")
    event = builders.event(TENANT, event_type="global.info", **FULL)
    other = builders.event(TENANT, **FULL)
    await streams.publish(builders.accepted(event), builders.accepted(other))
    await eventually(routed.all_acked)
    chosen = {channels.NAMES[one.channel]: one.template_version_id for one in await routed.deliveries()}
    assert chosen == {"sms": "own", "push": "platform"}
    assert (await routed.records())[other.id].reason == "no_active_template"


async def test_absence_is_checked_at_the_owner(
    start: StartService, streams: Streams, routed: Routed, owners: Owners
) -> None:
    """The bucket is empty: the owners are asked before a channel is skipped; while they are away the events wait."""
    owners.away = True
    owners.tenants.add(TENANT)
    template = templates_pb2.ActiveTemplate(channel=event_pb2.CHANNEL_SMS, template_version_id="v1")
    owners.templates[TENANT, TYPE] = [template]
    owners.providers[TENANT, event_pb2.CHANNEL_SMS] = ["p-sms"]
    router = await start("services.router")
    in_hand = await streams.in_hand(topology.EVENTS)
    event = builders.event(TENANT, **FULL)
    await streams.publish(builders.accepted(event))
    await eventually(lambda: in_hand and len(owners.asked) > 1)
    assert await routed.records() == {}
    owners.away = False
    await eventually(lambda: routed.decisions(event.id))
    assert "event_released" not in router.log.read_text()
    assert [one.provider_id for one in await routed.deliveries()] == ["p-sms"]


async def test_what_is_no_event_poisons_nothing(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed
) -> None:
    """Garbage, an empty message and an event without ids are dropped, counted and logged; other events are routed."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, SMS="v1")
    router = await start("services.router")
    good = [builders.event(TENANT, **FULL) for _ in range(2)]
    subject = topology.event_subject(TENANT)
    await streams.publish(
        builders.accepted(good[0]),
        nats.Outgoing(subject, b"\xff\xff\x00garbage"),
        nats.Outgoing(subject, b""),
        nats.Outgoing(subject, event_pb2.Event(id="x", tenant_id="y", event_type=TYPE).SerializeToString()),
        builders.accepted(good[1]),
    )
    await eventually(routed.all_acked)
    assert [one.event_id for one in await routed.deliveries()] == [event.id for event in good]
    assert router.log.read_text().count("event_unreadable") == 3


async def test_configuration_that_is_nonsense_holds_up_its_own_events_only(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed
) -> None:
    """Unreadable configuration: that tenant's events wait until it is corrected, others are routed."""
    broken = new_id()
    for tenant_id in (TENANT, broken):
        await bucket.tenant(tenant_id)
        await bucket.templates(tenant_id, TYPE, SMS="v1")
    await bucket.put(topology.providers_key(broken), {"not": "a list"})
    await streams.redeliver_after(2)
    await start("services.router")
    stuck, good = builders.event(broken, **FULL), builders.event(TENANT, **FULL)
    await streams.publish(builders.accepted(stuck), builders.accepted(good))
    await eventually(lambda: routed.decisions(good.id))
    assert stuck.id not in await routed.records()
    await bucket.tenant(broken)
    await eventually(lambda: routed.decisions(stuck.id), topology.ACK_WAIT_S * 6)


async def test_killed_in_the_middle(
    start: StartService, bucket: Bucket, streams: Streams, routed: Routed, nats_server: NatsServer
) -> None:
    """Kill -9 of one of two routers, then of NATS: every event's deliveries are there, none twice."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, SMS="v1", PUSH="v2")
    victim, _ = await asyncio.gather(start("services.router"), start("services.router"))
    events = [builders.event(TENANT, **FULL) for _ in range(1500)]
    messages = [builders.accepted(event) for event in events]
    publishing = asyncio.create_task(streams.publish(*messages[:1000]))
    await eventually(lambda: streams.count(topology.DELIVERIES), every=0.001)
    victim.kill()
    before = await streams.count(topology.DELIVERIES)
    more = asyncio.create_task(streams.publish(*messages[1000:]))

    async def goes_on() -> bool:
        return await streams.count(topology.DELIVERIES) > before

    await eventually(goes_on, topology.ACK_WAIT_S * 6, every=0.001)
    nats_server.kill()
    await asyncio.to_thread(nats_server.start)
    await asyncio.gather(publishing, more)

    async def complete() -> bool:
        return await streams.count(topology.DELIVERIES) >= 2 * len(events) and await routed.all_acked()

    await eventually(complete, 120)
    ids = [one.id for one in await routed.deliveries()]
    assert len(ids) == len(set(ids)) == 2 * len(events)
    assert {event.id for event in events} == set(await routed.records())


async def test_drains_on_sigterm(start: StartService, bucket: Bucket, streams: Streams, routed: Routed) -> None:
    """Received events are routed and acknowledged, the process exits with status 0; the rest waits for the next one."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, SMS="v1")
    router = await start("services.router")
    events = [builders.event(TENANT, **FULL) for _ in range(500)]
    await streams.publish(*[builders.accepted(event) for event in events])
    assert await asyncio.to_thread(router.stop) == 0
    await router.start()
    await eventually(routed.all_acked)
    assert sorted(one.event_id for one in await routed.deliveries()) == sorted(event.id for event in events)


async def test_a_stored_recipient(start: StartService, bucket: Bucket, streams: Streams, routed: Routed) -> None:
    """Named by id, as soon as the call that stores them is answered: with their address, without what they muted."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, EMAIL="v1", SMS="v2", PUSH="v3")
    router = await start("services.router")
    ada = recipients_pb2.StoredRecipient(
        recipient_id="ada", email=FULL["email"], phone=FULL["phone"], muted_channels=[event_pb2.CHANNEL_PUSH]
    )
    await router.call(
        "RecipientService.PutRecipients", recipients_pb2.PutRecipientsRequest(tenant_id=TENANT, recipients=[ada])
    )
    event = builders.event(TENANT, id_scheme=1, audience=[event_pb2.Target(recipient_id="ada")])
    event.ClearField("recipient")
    await streams.publish(builders.accepted(event))
    await eventually(routed.all_acked)
    assert await routed.decisions(event.id) == {"email": "", "sms": "", "push": "channel_muted"}
    assert {(one.recipient.email, one.recipient.phone) for one in await routed.deliveries()} == {tuple(FULL.values())}


async def test_explain(start: StartService, bucket: Bucket, routed: Routed) -> None:
    """ExplainRoute returns the decision and sends nothing."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, EMAIL="v1", SMS="v2")
    router = await start("services.router")
    request = router_pb2.ExplainRouteRequest(
        tenant_id=TENANT, event_type=TYPE, recipient=event_pb2.Recipient(user_id="u", email="ada@example.org")
    )
    answer = await router.call("RouterService.ExplainRoute", request)
    assert [(one.channel, one.reason) for one in answer.route.deliveries] == [
        (event_pb2.CHANNEL_EMAIL, ""),
        (event_pb2.CHANNEL_SMS, "missing_phone"),
    ]
    assert await routed.deliveries() == []


async def test_explain_an_audience(start: StartService, bucket: Bucket) -> None:
    """Each described recipient's language decides; a group's members are not explained."""
    await bucket.tenant(TENANT)
    templates = [{"channel": "SMS", "template_version_id": f"v-{tag}", "locale": tag} for tag in ("en", "pt")]
    await bucket.put(topology.templates_key(TENANT, TYPE), templates)
    router = await start("services.router")
    people = [event_pb2.Recipient(user_id=tag, phone=FULL["phone"], locale=tag) for tag in ("pt-BR", "en", "de")]
    request = router_pb2.ExplainRouteRequest(
        tenant_id=TENANT, event_type=TYPE, audience=[event_pb2.Target(recipient=one) for one in people]
    )
    answer = await router.call("RouterService.ExplainRoute", request)
    assert [(one.recipient.user_id, one.template_version_id, one.reason) for one in answer.route.deliveries] == [
        ("pt-BR", "v-pt", ""),
        ("en", "v-en", ""),
        ("de", "", "no_template_for_locale"),
    ]
    older = router_pb2.ExplainRouteRequest(tenant_id=TENANT, event_type=TYPE, recipient=people[2], locale="pt_BR")
    older.recipient.ClearField("locale")
    answer = await router.call("RouterService.ExplainRoute", older)
    assert [one.template_version_id for one in answer.route.deliveries] == ["v-pt"]
    request.audience.add(group="g")
    with pytest.raises(ClarionError) as refused:
        await router.call("RouterService.ExplainRoute", request)
    assert refused.value.code is Code.INVALID


async def test_explain_a_large_audience(start: StartService, bucket: Bucket) -> None:
    """One answer, though the plan is written as several records."""
    await bucket.tenant(TENANT)
    await bucket.templates(TENANT, TYPE, EMAIL="v1", SMS="v2", PUSH="v3")
    router = await start("services.router")
    people = [event_pb2.Recipient(user_id=f"u{n}", email=f"{'a' * 1000}@example.org") for n in range(100)]
    request = router_pb2.ExplainRouteRequest(
        tenant_id=TENANT, event_type=TYPE, audience=[event_pb2.Target(recipient=one) for one in people]
    )
    answer = await router.call("RouterService.ExplainRoute", request)
    assert [one.recipient.user_id for one in answer.route.deliveries[::3]] == [one.user_id for one in people]
    assert (len(answer.route.deliveries), answer.route.continues) == (300, False)


async def _is_routed(routed: Routed, event_id: str) -> bool:
    return event_id in await routed.records()


async def _equal(found: Awaitable[object], wanted: object) -> bool:
    return await found == wanted
