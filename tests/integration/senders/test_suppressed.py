"""The last look before a send: what was suppressed or canceled after it was routed is not sent either."""

from collections.abc import Callable
from typing import Any, TypeAlias

import asyncpg

from clarion.common.v1 import event_pb2, trace_pb2
from runtime import bucket_keys
from services.domain import suppression_list, topology
from tests.integration.senders.mail_servers import Catcher, serving
from tests.integration.senders.processes import Senders
from tests.keyed import KEYED
from tests.unit.senders import builders
from tests.unit.senders.builders import TENANT
from tests.waiting import eventually

SKIPPED = trace_pb2.DELIVERY_STATUS_SKIPPED
_Told: TypeAlias = tuple[trace_pb2.DeliveryStatus.ValueType, str]


async def _suppress(
    senders: Senders, channel: event_pb2.Channel.ValueType, address: str, reason: suppression_list.SuppressionReason
) -> None:
    """Publish it as the router does."""
    full = suppression_list.digest(KEYED, TENANT, channel, address)
    bucket = await senders.connection.jetstream().key_value(bucket_keys.BUCKET)
    key = topology.suppressions_key(TENANT, suppression_list.shard(full))
    await bucket.put(key, suppression_list.pack([(full, suppression_list.flag(reason))]))


async def _until_known(senders: Senders, make: Callable[[], event_pb2.Delivery]) -> None:
    """Wait until the service knows why such deliveries are skipped: it learns of it a moment later."""

    async def is_known() -> bool:
        early = make()
        await senders.deliver(early)

        async def attempts() -> list[trace_pb2.Attempted]:
            return [one for one in await senders.attempts() if one.delivery_id == early.id]

        return bool((await eventually(attempts))[0].status == SKIPPED)

    await eventually(is_known)


async def _told(senders: Senders, *deliveries: event_pb2.Delivery) -> dict[str, _Told]:
    """Deliver them; return the status and the reason of each."""
    ids = {one.id for one in deliveries}
    await senders.deliver(*deliveries)

    async def all_told() -> dict[str, _Told] | None:
        told = {one.delivery_id: (one.status, one.reason) for one in await senders.attempts() if one.delivery_id in ids}
        return told if len(told) == len(ids) else None

    told = await eventually(all_told)
    assert told is not None
    return told


async def test_a_delivery_that_waits_for_its_retry_is_skipped(senders: Senders) -> None:
    """If the address bounces after routing and a first attempt, the next attempt is skipped."""
    catcher = Catcher(rcpt="451 later")
    async with serving(catcher) as port:
        smtp: dict[str, Any] = {"host": "127.0.0.1", "port": port, "tls": "none", "from_email": "noreply@relay.example"}
        provider_id = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", **smtp)
        delivery = builders.delivery(provider_id=provider_id)
        await senders.deliver(delivery)
        await eventually(senders.attempts)
        await _suppress(senders, event_pb2.CHANNEL_EMAIL, "ada@example.org", suppression_list.BOUNCED)

        async def skipped() -> trace_pb2.Attempted | None:
            last = (await senders.attempts())[-1]
            return last if last.status == SKIPPED else None

        last = await eventually(skipped)
    assert last is not None
    assert (last.delivery_id, last.reason, last.provider) == (delivery.id, "suppressed_bounced", "")
    assert catcher.envelopes == []


async def test_a_canceled_event_is_not_sent(senders: Senders, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """What comes after the cancellation is skipped; another event is sent."""
    provider_id = await senders.provider(event_pb2.CHANNEL_EMAIL, "sandbox", from_email="us@acorn.example")
    canceled, other = builders.delivery(provider_id=provider_id), builders.delivery(provider_id=provider_id)
    bucket = await senders.connection.jetstream().key_value(bucket_keys.BUCKET)
    await bucket.put(topology.canceled_key(canceled.tenant_id, canceled.event_id), b"1750000000000000")

    def of_the_same_event() -> event_pb2.Delivery:
        one = builders.delivery(provider_id=provider_id)
        one.event_id = canceled.event_id
        return one

    await _until_known(senders, of_the_same_event)
    told = await _told(senders, canceled, other)
    assert told == {canceled.id: (SKIPPED, "canceled"), other.id: (trace_pb2.DELIVERY_STATUS_SENT, "")}
    ids = [canceled.id, other.id]
    rows = await pool.fetch("SELECT delivery_id FROM senders.outbox WHERE delivery_id = ANY ($1)", ids)
    assert [str(row["delivery_id"]) for row in rows] == [other.id]


async def test_only_subscribed_mail_ends_with_a_click(senders: Senders, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Of two mails to the same person, the subscribed one is skipped."""
    await _suppress(senders, event_pb2.CHANNEL_EMAIL, "ada@example.org", suppression_list.UNSUBSCRIBED)
    provider_id = await senders.provider(event_pb2.CHANNEL_EMAIL, "sandbox", from_email="us@acorn.example")

    def subscribed() -> event_pb2.Delivery:
        one = builders.delivery(provider_id=provider_id)
        one.subscribed = True
        return one

    await _until_known(senders, subscribed)
    receipt, news = builders.delivery(provider_id=provider_id), subscribed()
    told = await _told(senders, receipt, news)
    assert told == {
        receipt.id: (trace_pb2.DELIVERY_STATUS_SENT, ""),
        news.id: (SKIPPED, "suppressed_unsubscribed"),
    }

    async def kept() -> bool:
        ids = [receipt.id, news.id]
        rows = await pool.fetch("SELECT delivery_id FROM senders.outbox WHERE delivery_id = ANY ($1)", ids)
        return [str(row["delivery_id"]) for row in rows] == [receipt.id]

    await eventually(kept)
