"""Endpoints whose owners read their deliveries themselves, a page at a time."""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from clarion.common.v1 import trace_pb2
from runtime import clock, logs
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.delivery import records
from services.delivery.attempts import log_outcome
from services.delivery.ports import Refusal, SendResult, Verdict
from services.domain import endpoints
from services.domain.checks import invalid
from services.senders.webhooks.parking.ports import (
    Ended,
    EndpointDirectory,
    EndpointKey,
    Letter,
    Letters,
    Row,
    Rows,
    Trace,
)

_CHUNK = 250
# Bytes of bodies in one answer; a larger body comes alone.
_PAGE_BYTES = 2 * 1024 * 1024
# What a record names as the provider of what was read.
_PROVIDER = "poll"
_AS_FAR_AS = {Verdict.SKIPPED: trace_pb2.DELIVERY_STATUS_SKIPPED, Verdict.PERMANENT: trace_pb2.DELIVERY_STATUS_FAILED}

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """Deliveries that a receiver reads. cursor: never empty. is_last: nothing more waits."""

    deliveries: Sequence[tuple[Row, Letter]]
    cursor: str
    is_last: bool


class Poller:
    """Reads the rows of POLLED endpoints. What is before a cursor is taken for received, and ends as sent."""

    def __init__(
        self,
        rows: Rows,
        trace: Trace,
        letters: Letters,
        directory: EndpointDirectory,
        vault: Vault,
        refusals: Sequence[Refusal],
        *,
        now: clock.Clock,
    ) -> None:
        self._rows = rows
        self._trace = trace
        self._letters = letters
        self._directory = directory
        self._vault = vault
        self._refusals = refusals
        self._now = now

    async def poll(self, key: EndpointKey, cursor: str, limit: int) -> Page:
        """Return the page after a cursor; empty: the first one. Raises INVALID, NOT_FOUND, CONFLICT, UNAVAILABLE."""
        after = self._opened(key, cursor)
        endpoint = self._directory.endpoint(key)
        if endpoint is None:
            raise ClarionError(Code.NOT_FOUND, "The endpoint does not exist.")
        if endpoint.mode != endpoints.POLLED or not endpoint.active:
            raise ClarionError(Code.CONFLICT, "The endpoint is disabled, or its deliveries are not read by polling.")
        await self._end_received(key, after)
        found: list[tuple[Row, Letter]] = []
        size, is_last = 0, False
        while len(found) < limit and not is_last:
            rows = await self._rows.due(key, 0, after=(0, after), limit=limit - len(found))
            is_last = len(rows) < limit - len(found)
            for row in rows:
                letter = await self._letter(row)
                size += len(letter.body) if isinstance(letter, Letter) else 0
                # Nothing may pass one that cannot be read yet.
                if letter is None or (found and size > _PAGE_BYTES):
                    return Page(found, self._closed(key, after), is_last=False)
                after = row.sequence
                if isinstance(letter, Letter):
                    found.append((row, letter))
        return Page(found, self._closed(key, after), is_last)

    async def _letter(self, row: Row) -> Letter | SendResult | None:
        """Return what is read of a row; None: it cannot be made now. A row without a letter ends."""
        reasons = (refuse(row.delivery) for refuse in self._refusals)
        reason = next(filter(None, reasons), "")
        letter = (
            SendResult(Verdict.SKIPPED, provider=_PROVIDER, reason=reason)
            if reason
            else await self._letters.letter(row.delivery)
        )
        if isinstance(letter, Letter):
            return letter
        if letter.verdict not in _AS_FAR_AS:
            log.warning("poll_waits", delivery_id=row.delivery.id, reason=letter.reason)
            return None
        await self._end([row], letter)
        return letter

    async def _end_received(self, key: EndpointKey, until: int) -> None:
        """End everything up to a place as sent."""
        while rows := await self._rows.due(key, 0, limit=_CHUNK):
            received = [row for row in rows if row.sequence <= until]
            if received:
                await self._end(received, SendResult(Verdict.SENT, provider=_PROVIDER))
            if len(received) < len(rows):
                return

    async def _end(self, rows: Sequence[Row], result: SendResult) -> None:
        """Record the end of rows, then delete them. Raises UNAVAILABLE."""
        now = self._now()
        times = records.AttemptTimes(now, now, now)
        status = _AS_FAR_AS.get(result.verdict, trace_pb2.DELIVERY_STATUS_SENT)
        made = [records.attempted(row.delivery, result, status, times) for row in rows]
        await self._trace.write_all(made)
        for row, record in zip(rows, made, strict=True):
            log_outcome(row.delivery, record)
        await asyncio.gather(*[self._rows.settle(Ended(row)) for row in rows])

    def _closed(self, key: EndpointKey, sequence: int) -> str:
        sealed = self._vault.encrypt(str(sequence).encode(), context=_context(key))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def _opened(self, key: EndpointKey, cursor: str) -> int:
        if not cursor:
            return 0
        try:
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            return int(self._vault.decrypt(sealed, context=_context(key)))
        except (ValueError, binascii.Error) as error:
            raise invalid("cursor", "must be that of an earlier answer for this endpoint") from error


def _context(key: EndpointKey) -> str:
    return f"poll:{key.tenant_id}:{key.endpoint_id}"
