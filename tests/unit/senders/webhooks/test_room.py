"""Calls that hang leave the worker room for those of other tenants."""

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from clarion.common.v1 import event_pb2
from runtime.ids import new_id
from services.domain import channels, topology
from services.domain.reasons import Reason
from services.domain.retry_policy import WEBHOOKS
from services.senders.settings import Settings
from services.senders.webhooks.attempter import WebhookAttempter
from services.senders.webhooks.bounds import Limits
from services.senders.webhooks.client import WebhookClient
from services.senders.webhooks.wiring import most_held
from tests.fakes.parking import MemoryParking
from tests.unit.delivery.desk import Desk, a_delivery
from tests.unit.senders.webhooks.builders import Published, endpoint
from tests.waiting import eventually

SMS = event_pb2.CHANNEL_SMS
# More than a worker has in hand, each to an endpoint of its own.
FLOOD = 1_500


class Hanging:
    """Stands for tunnel.Opener: nobody answers. tenants: those that called, one for each call."""

    def __init__(self) -> None:
        self.tenants: list[str] = []
        self.is_over = asyncio.Event()

    async def open(self, _: Any, tenant_id: str) -> Any:
        """Hang until the test ends."""
        self.tenants.append(tenant_id)
        await self.is_over.wait()
        raise OSError


@pytest.fixture
def opener() -> Iterator[Hanging]:
    """Endpoints that hang."""
    made = Hanging()
    yield made
    made.is_over.set()


def neighbors(count: int) -> list[str]:
    """Return tenants whose deliveries the same consumer of the worker takes."""
    groups: dict[int, list[str]] = {}
    while True:
        tenant_id = new_id()
        group = groups.setdefault(topology.lane_of(tenant_id) % topology.LANE_GROUPS, [])
        group.append(tenant_id)
        if len(group) == count:
            return group


@pytest.mark.parametrize("floods", [1, 2])
async def test_tenants_whose_endpoints_hang_leave_room_for_others(
    opener: Hanging, monkeypatch: pytest.MonkeyPatch, floods: int
) -> None:
    """They hold all that they may, what they send beyond that waits in rows, and the others' deliveries are sent."""
    changed = dataclasses.replace(channels.BY_NUMBER[SMS], retry=WEBHOOKS)
    monkeypatch.setitem(channels.BY_NUMBER, SMS, changed)
    desk, parking, published = Desk(), MemoryParking(bound=10_000), Published()
    calls = _default("webhook_calls")
    anything: Any = opener
    client = WebhookClient(
        anything, timeout_s=60, limits=Limits(calls, _default("webhook_tenant_calls")), opener=anything
    )
    desk.start(
        attempter=WebhookAttempter(published.directory, anything, client),
        parking=parking,
        max_held=most_held(calls),
        attempt_deadline_s=60.0,
    )
    *flooding, second, third = neighbors(floods + 2)
    for tenant_id in flooding:
        for _ in range(FLOOD):
            await _deliver(desk, published, tenant_id)
    for tenant_id in (second, third):
        for _ in range(3):
            await _deliver(desk, published, tenant_id)
    await eventually(lambda: opener.tenants.count(second) == opener.tenants.count(third) == 3)
    await eventually(lambda: len(parking.rows) + client.under_way == floods * FLOOD + 6)
    assert {row.reason for row in parking.rows.values()} == {Reason.ENDPOINT_BUSY}
    assert {row.delivery.tenant_id for row in parking.rows.values()} == set(flooding)
    opener.is_over.set()
    await desk.stop()


def _default(name: str) -> int:
    [found] = [field.default for field in msgspec.structs.fields(Settings) if field.name == name]
    return int(found)


async def _deliver(desk: Desk, published: Published, tenant_id: str) -> None:
    endpoint_id = published.put(
        endpoint(published.vault, "https://203.0.113.9/in", tenant_id=tenant_id), tenant_id=tenant_id
    )
    await desk.take(a_delivery(tenant_id=tenant_id, webhook=event_pb2.Webhook(endpoint_id=endpoint_id)))
