"""Senders and realtime ask for many at once: what does not fit into one answer is in the next."""

import asyncio

from clarion.common.v1 import event_pb2
from runtime.grpc import Caller, channel
from services.delivery.render_client import RenderClient
from services.render.render import MAX_ANSWER
from tests.integration.render.conftest import TOKEN, Service

_CHARACTERS = 250_000


async def test_large_contents_do_not_push_each_other_out(service: Service) -> None:
    """Sixty texts, each within the limit and together more than an answer holds, are all rendered, in their order."""
    count = 60
    assert count * _CHARACTERS > MAX_ANSWER
    version = await service.create(event_pb2.CHANNEL_SMS, "{{number}}" + "x" * _CHARACTERS)
    async with channel(service.address) as connection:
        renderer = RenderClient(connection, Caller(TOKEN))
        deliveries = [
            event_pb2.Delivery(template_version_id=version.id, variables=b'{"number":%d}' % number)
            for number in range(count)
        ]
        results = await asyncio.gather(*map(renderer.render, deliveries))
    assert [result.failure.reason for result in results] == [""] * count
    assert [result.content.text.rstrip("x") for result in results] == [str(number) for number in range(count)]
