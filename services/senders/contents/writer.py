"""Writes what was sent in the background: in batches, from a queue that is bounded in bytes.

Sending never waits for it. What cannot be written, because PostgreSQL is away or too much waits, is counted and let go:
the message itself was sent all the same.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from prometheus_client import Counter

from runtime import logs
from runtime.errors import ClarionError
from runtime.ids import is_uuid
from runtime.retrying import retry
from services.senders.contents import capture
from services.senders.contents.ports import Captured, RefusedRows

# Of all that waits, and of one statement: rows and bytes.
MAX_WAITING_BYTES = 16 * 1024 * 1024
MAX_BYTES = 4 * 1024 * 1024
GROUP, GROUP_BYTES = 1_000, 2 * 1024 * 1024
# The pause before a statement, so that it has more rows, seconds.
PACE_S = 0.25
# A batch of more bytes is encoded and compressed in a thread, beside the event loop.
_INLINE_BYTES = 32 * 1024
# While the database is away, a batch is retried for this many seconds.
PATIENCE_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 1.0

_LOST = Counter("clarion_contents_lost_total", "Sent messages whose content was not stored, by the reason.", ["reason"])

log = logs.get(__name__)


class ContentRows(Protocol):
    """Stores rows; see services.senders.contents.store."""

    async def insert(self, rows: Sequence[capture.Row]) -> None:
        """Store them in one statement. Raises ClarionError while the database is away, and RefusedRows."""


class ContentWriter:
    """Implements ports.ContentRecorder. keeps: whether a tenant's content is stored."""

    def __init__(
        self,
        rows: ContentRows,
        keeps: Callable[[str], bool],
        *,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._rows = rows
        self._keeps = keeps
        self._max_waiting_bytes = max_waiting_bytes
        self._patience_s = patience_s
        self._waiting: deque[Captured] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._draining = False
        self._is_failing = False

    def keeps(self, tenant_id: str) -> bool:
        """See ports.ContentRecorder."""
        return self._keeps(tenant_id)

    def record(self, captured: Captured) -> None:
        """See ports.ContentRecorder."""
        if not capture.is_storable(captured) or not is_uuid(captured.tenant_id) or not self._keeps(captured.tenant_id):
            return
        if captured.size > MAX_BYTES:
            _LOST.labels("too_large").inc()
            return
        if self._bytes + captured.size > self._max_waiting_bytes:
            _LOST.labels("queue_full").inc()
            return
        self._waiting.append(captured)
        self._bytes += captured.size
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def drain(self) -> None:
        """Wait until all is written, or let go."""
        self._draining = True
        while self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            while self._waiting:
                if not self._draining and len(self._waiting) < GROUP and self._bytes < GROUP_BYTES:
                    await asyncio.sleep(PACE_S)
                batch = self._take()
                try:
                    await self._write(batch)
                finally:
                    self._bytes -= sum(one.size for one in batch)
        finally:
            self._task = None

    def _take(self) -> list[Captured]:
        batch, size = [self._waiting.popleft()], 0
        while self._waiting and len(batch) < GROUP:
            size += self._waiting[0].size
            if size > GROUP_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _write(self, batch: Sequence[Captured]) -> None:
        is_large = sum(one.size for one in batch) > _INLINE_BYTES
        rows = await asyncio.to_thread(capture.rows, batch) if is_large else capture.rows(batch)
        try:
            await retry(
                lambda: self._rows.insert(rows),
                ClarionError,
                first_s=_FIRST_PAUSE_S,
                longest_s=_LONGEST_PAUSE_S,
                within_s=self._patience_s,
            )
        except (ClarionError, RefusedRows) as error:
            _LOST.labels("database").inc(len(batch))
            if not self._is_failing:
                log.warning("contents_lost", error=repr(error))
            self._is_failing = True
        else:
            if self._is_failing:
                log.info("contents_stored_again")
            self._is_failing = False
