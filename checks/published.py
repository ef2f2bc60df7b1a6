"""Reads a tenant's deliveries as the broker stores them: when, and how often each."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import DeliverPolicy

from clarion.common.v1 import event_pb2
from services.domain import topology
from stack.client import Running

# Messages that may wait here for being counted; more would be dropped, and read again.
_PENDING_MESSAGES, _PENDING_BYTES = 500_000, 512 * 1024 * 1024


class Published:
    """What was stored so far. first: by event, when its first delivery was stored, Unix seconds. times: by delivery."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id
        self.first: dict[str, float] = {}
        self.times: Counter[str] = Counter()
        self.bytes = 0

    @property
    def repeated(self) -> int:
        """How many messages repeated one that was stored already."""
        return self.times.total() - len(self.times)

    async def add(self, message: Msg) -> None:
        """Count a message."""
        delivery = event_pb2.Delivery.FromString(message.data)
        if delivery.tenant_id != self._tenant_id:
            return
        at = message.metadata.timestamp.timestamp()
        self.first[delivery.event_id] = min(at, self.first.get(delivery.event_id, at))
        self.times[delivery.id] += 1
        self.bytes += len(message.data)


@asynccontextmanager
async def published(running: Running, tenant_id: str) -> AsyncIterator[Published]:
    """Count what DELIVERIES stores of a tenant during a block."""
    found = Published(tenant_id)
    connection = Client()
    await connection.connect(running.variables["CLARION_NATS_URL"], connect_timeout=5)
    try:
        await connection.jetstream(timeout=10).subscribe(
            "deliveries.>",
            stream=topology.DELIVERIES,
            cb=found.add,
            ordered_consumer=True,
            deliver_policy=DeliverPolicy.NEW,
            pending_msgs_limit=_PENDING_MESSAGES,
            pending_bytes_limit=_PENDING_BYTES,
        )
        yield found
    finally:
        await connection.close()
