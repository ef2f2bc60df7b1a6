"""Notes on an event's timeline that a repeat asked for something else."""

import asyncio
from collections import OrderedDict

from clarion.common.v1 import trace_pb2
from runtime import clock, logs
from runtime.errors import ClarionError
from services.domain.trace import TraceWriter

# The last events with a note are remembered, so that a caller that repeats for ever writes one.
_REMEMBERED = 10_000

log = logs.get(__name__)


class RepeatNotes:
    """Writes the notes in the background: no caller waits for them. A note that cannot be written is logged."""

    def __init__(self, trace: TraceWriter, *, now: clock.Clock = clock.now_us) -> None:
        self._trace = trace
        self._now = now
        self._noted: OrderedDict[str, None] = OrderedDict()
        self._under_way: set[asyncio.Task[None]] = set()

    def differs(self, tenant_id: str, event_id: str, event_type: str) -> None:
        """Note that a call with this event's key asked for something else; event_type: of that call."""
        if event_id in self._noted:
            return
        self._noted[event_id] = None
        if len(self._noted) > _REMEMBERED:
            self._noted.popitem(last=False)
        record = trace_pb2.TraceRecord(
            event_id=event_id,
            tenant_id=tenant_id,
            at_us=self._now(),
            repeat=trace_pb2.Repeat(event_type=event_type),
        )
        task = asyncio.create_task(self._write(record))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def drain(self) -> None:
        """Wait until all notes are written."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

    async def _write(self, record: trace_pb2.TraceRecord) -> None:
        try:
            await self._trace.write(record)
        except ClarionError as error:
            self._noted.pop(record.event_id, None)  # the next repeat tries again
            log.warning("repeat_unnoted", event_id=record.event_id, error=error.detail)
