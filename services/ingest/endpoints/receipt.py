"""The deliveries of an event to endpoints, as its caller is told of them."""

import asyncio
from collections.abc import Sequence

from clarion.common.v1 import event_pb2
from services.domain.delivery_ids import delivery_id
from services.domain.endpoints import STEP

# Ids that are made before other events get their turn.
_TURN = 500

# (endpoint's id, delivery's id) of each.
Deliveries = Sequence[tuple[str, str]]


async def deliveries_of(event: event_pb2.Event) -> Deliveries:
    """Return the deliveries of an event that has its id, in the order of its endpoints; none without endpoints."""
    made: list[tuple[str, str]] = []
    for number, endpoint_id in enumerate(event.endpoints.endpoint_ids, start=1):
        made.append((endpoint_id, delivery_id(event, event_pb2.CHANNEL_WEBHOOK, endpoint_id, step=STEP)))
        if number % _TURN == 0:
            await asyncio.sleep(0)
    return made
