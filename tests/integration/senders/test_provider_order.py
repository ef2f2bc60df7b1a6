"""The order of a channel's providers, on real PostgreSQL and NATS."""

import asyncio
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import senders_pb2
from runtime.errors import ClarionError, Code
from services.senders.servicer import ProviderServicer
from tests.integration.senders.conftest import Shop
from tests.integration.senders.test_providers import CONTEXT, create_smtp, published
from tests.unit.senders import builders
from tests.unit.senders.builders import TENANT

_SMS = event_pb2.CHANNEL_SMS


async def _sandbox(shop: Shop) -> str:
    request = senders_pb2.CreateProviderRequest(tenant_id=TENANT, channel=_SMS, kind="sandbox", settings_json="{}")
    return (await ProviderServicer(shop.store, builders.guard()).CreateProvider(request, CONTEXT)).provider.id


async def _order(shop: Shop, ids: list[str], expected: list[str] | None = None) -> list[str]:
    request: Any = senders_pb2.OrderProvidersRequest(
        tenant_id=TENANT, channel=_SMS, provider_ids=ids, expected_ids=expected or []
    )
    answer = await ProviderServicer(shop.store, builders.guard()).OrderProviders(request, CONTEXT)
    return [one.id for one in answer.providers]


async def test_an_order_is_stored_and_published_at_once(shop: Shop) -> None:
    """All of the channel and no other: the mail server keeps its priority."""
    ids = [await _sandbox(shop) for _ in range(3)]
    mail = await create_smtp(shop)
    assert await _order(shop, ids[::-1], ids) == ids[::-1]
    records = await published(shop)
    assert [one["id"] for one in records if one["channel"] == "SMS"] == ids[::-1]
    assert [one["id"] for one in records if one["channel"] == "EMAIL"] == [mail.id]
    stored = {one.provider.id: one.provider.priority for one in await shop.store.of_tenant(TENANT)}
    assert [stored[id_] for id_ in ids[::-1]] == [10, 20, 30]
    assert stored[mail.id] == 0


@pytest.mark.parametrize("wanted", ["too few", "one twice", "a stranger"])
async def test_other_providers_than_the_channels_are_refused(shop: Shop, wanted: str) -> None:
    """Nothing changes."""
    ids = [await _sandbox(shop) for _ in range(2)]
    mail = await create_smtp(shop)
    given = {"too few": ids[:1], "one twice": [ids[0], ids[0]], "a stranger": [ids[1], mail.id]}[wanted]
    with pytest.raises(ClarionError) as refused:
        await _order(shop, given)
    assert refused.value.code is Code.CONFLICT
    assert await _order(shop, ids, ids) == ids


async def test_of_two_people_at_once_one_is_refused(shop: Shop) -> None:
    """Both read the same order; the later one is told to load it again, and does not undo the other's work."""
    ids = [await _sandbox(shop) for _ in range(3)]
    answers = await asyncio.gather(
        _order(shop, [ids[1], ids[0], ids[2]], ids), _order(shop, [ids[2], ids[1], ids[0]], ids), return_exceptions=True
    )
    (kept,) = [one for one in answers if not isinstance(one, BaseException)]
    (refused,) = [one for one in answers if isinstance(one, ClarionError)]
    assert refused.code is Code.CONFLICT
    assert [one["id"] for one in await published(shop)] == kept
