"""Publishes deliveries that are sent again."""

from collections.abc import Sequence

from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from runtime import clock, nats
from services.domain import topology


class DeliveryPublisher:
    """Appends deliveries to DELIVERIES. Their message ids name the replay, so a repeat stores each once."""

    def __init__(self, connection: Client, *, now: clock.Clock = clock.now_us) -> None:
        self._publisher = nats.StreamPublisher(connection)
        self._now = now

    async def publish(self, deliveries: Sequence[event_pb2.Delivery]) -> None:
        """Return when all are stored. Raises UNAVAILABLE or OVERLOADED."""
        now = self._now()
        for delivery in deliveries:
            delivery.planned_at_us = now
        await self._publisher.publish_all(
            [
                nats.Outgoing(
                    topology.delivery_subject(delivery.channel, delivery.tenant_id),
                    delivery.SerializeToString(),
                    msg_id=f"{delivery.id}.{delivery.replay}",
                )
                for delivery in deliveries
            ]
        )
