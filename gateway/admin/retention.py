"""For how long this installation keeps the data of tenants that have no days of their own."""

import asyncio
from typing import Any

from clarion.ingest.v1 import privacy_pb2
from clarion.realtime.v1 import privacy_pb2 as realtime_pb2
from clarion.senders.v1 import privacy_pb2 as senders_pb2
from gateway.admin.usage import perhaps
from gateway.clients import Clients

_HOURS = 24


async def defaults(clients: Clients, of_ingest: privacy_pb2.GetRetentionResponse) -> dict[str, Any]:
    """Return the days of each kind of data; None: the service that keeps it does not answer."""
    inbox, outbox = await asyncio.gather(
        perhaps(clients, clients.realtime_privacy.GetInboxRetention, realtime_pb2.GetInboxRetentionRequest()),
        perhaps(clients, clients.senders_privacy.GetOutboxRetention, senders_pb2.GetOutboxRetentionRequest()),
    )
    return {
        "events_days": of_ingest.installation.events_days or None,
        "payload_days": of_ingest.installation.payload_days or None,
        "inbox_days": (inbox.days or None) if inbox is not None else None,
        "outbox_days": (outbox.hours / _HOURS or None) if outbox is not None else None,
    }
