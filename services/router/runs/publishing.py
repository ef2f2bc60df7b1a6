"""Publishes what was decided of runs, as it is stored."""

import asyncio
from collections.abc import Sequence

from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.router.v1 import run_output_pb2
from runtime import nats
from services.domain import topology
from services.domain.trace import TraceWriter
from services.router.pace import Pace
from services.router.runs.run import Run, with_body

# Deliveries that wait to be stored: more than all runs that are under way have on all channels.
_MAX_WAITING = 60_000


class OutputPublisher:
    """Publishes outputs; those that are published at the same time share messages of TRACE. pace: of pages."""

    def __init__(self, connection: Client, pace: Pace | None = None) -> None:
        self._deliveries = nats.StreamPublisher(connection, max_waiting=_MAX_WAITING)
        self._pace = pace or Pace()
        self._trace = TraceWriter(nats.StreamPublisher(connection))

    async def publish(self, output: run_output_pb2.RunOutput, run: Run, *, is_page: bool = False) -> None:
        """Return when all of an output is stored. Raises ClarionError; a repeat stores each message once.

        run: of the event, which has the body. is_page: the output is a page of a large run.
        """

        async def publish(deliveries: Sequence[event_pb2.Delivery]) -> None:
            await self._deliveries.publish_all([_outgoing(delivery, run) for delivery in deliveries])

        sending = self._pace.send(output.deliveries, publish) if is_page else publish(output.deliveries)
        stored = await asyncio.gather(sending, self._trace.write_all(output.records), return_exceptions=True)
        for failure in stored:  # both have ended then
            if isinstance(failure, BaseException):
                raise failure


def _outgoing(delivery: event_pb2.Delivery, run: Run) -> nats.Outgoing:
    subject = topology.delivery_subject(delivery.channel, delivery.tenant_id)
    return nats.Outgoing(subject, with_body(delivery, run).SerializeToString(), msg_id=delivery.id)
