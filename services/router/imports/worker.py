"""Works off imports in the background, in every router.

A step stores up to a hundred rows of one import and how far it has come, in one transaction, in which the import's row
is locked. So each row is stored once whenever a router ends, and a router that ends leaves nothing behind. Imports that
are due take turns.
"""

import asyncio
import random
from collections.abc import Sequence
from itertools import islice

import asyncpg

from runtime import logs, postgres
from runtime.errors import ClarionError, Code
from services.domain.reasons import Reason
from services.router.imports import rows, store
from services.router.imports.rows import Row, Unreadable
from services.router.imports.store import (
    CANCELED,
    DONE,
    FAILED,
    UPLOADING,
    ImportFault,
    ImportRow,
    ImportStore,
    Progress,
)
from services.router.recipients.changes import Change
from services.router.recipients.check import Fault
from services.router.recipients.store import ACQUIRE_S, Connection, Pool
from services.router.recipients.writing import BATCH, DISTURBED, RecipientWriter, Saved

# Seconds between two looks for imports that another router was given, and after PostgreSQL failed.
_IDLE_S = 3.0
# After our own fault an import waits 1, 2, 4, … seconds; after so many faults in a row it ends.
_MAX_CRASHES = 8
# Faults that are kept of a row.
_MAX_OF_ROW = 10
# Seconds between two rounds of deleting old imports.
_SWEEP_S = 600.0

_STORE_ERRORS = (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError, ClarionError)

log = logs.get(__name__)


class Imports:
    """Works off imports that are due."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._store = ImportStore(pool)
        self._writer = RecipientWriter(pool)
        self._due = asyncio.Event()

    def wake(self) -> None:
        """Look for imports that are due now."""
        self._due.set()

    async def run(self) -> None:
        """Work off imports for ever. Whenever this ends, nothing is half done."""
        while True:
            self._due.clear()
            try:
                if await self.step():
                    continue
            except _STORE_ERRORS as error:
                log.warning("imports_wait", error=repr(error))
            pause = _IDLE_S * random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
            try:
                async with asyncio.timeout(pause):
                    await self._due.wait()
            except TimeoutError:
                continue

    async def sweep(self) -> None:
        """Delete imports that ended long ago, for ever."""
        while True:
            await asyncio.sleep(_SWEEP_S * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            try:
                while await self._store.delete_old():
                    pass
            except _STORE_ERRORS as error:
                log.warning("imports_sweep_waits", error=repr(error))

    async def step(self) -> bool:
        """Work on one import that is due, a hundred rows of it; False: none is due. Raises PostgreSQL's errors."""
        row: ImportRow | None = None
        try:
            with postgres.unavailable_while_down():
                async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                    row = await store.claim(connection)
                    if row is not None:
                        await self._work(connection, row)
        except DISTURBED:  # somebody else stored or changed the same person meanwhile
            raise
        except Exception as error:
            if row is None or (isinstance(error, ClarionError) and error.code is Code.UNAVAILABLE):
                raise
            await self._crashed(row, error)
        return row is not None

    async def _work(self, connection: Connection, row: ImportRow) -> None:
        if row.state == UPLOADING:
            await store.end(connection, row.tenant_id, row.id, CANCELED, "Its upload did not go on.")
            return
        part = await store.read_part(connection, row.tenant_id, row.id, row.position)
        is_end = row.position + len(part) >= row.size
        found: list[Row] = []
        unreadable = ""
        try:
            found += islice(rows.rows(part, row.position, row.line, row.delimiter, is_end=is_end), BATCH)
        except Unreadable as error:
            unreadable = str(error)
        progress = await self._progress(connection, row, found)
        await store.go_on(connection, row, progress)
        if unreadable and not found:
            await store.end(connection, row.tenant_id, row.id, FAILED, f"The file {unreadable}.")
        elif progress.position >= row.size:
            await store.end(connection, row.tenant_id, row.id, DONE)
            log.info("import_done", tenant_id=row.tenant_id, import_id=row.id, size=row.size)

    async def _progress(self, connection: Connection, row: ImportRow, found: Sequence[Row]) -> Progress:
        """Store rows; return how far that is."""
        reading = row.reading
        faults: list[ImportFault] = []
        wanted: list[tuple[Row, Change]] = []
        for one in found:
            try:
                change = rows.change_of(one, reading)
            except ClarionError as error:
                faults += _faults(one, error.fields)
                continue
            if change is None:
                continue
            if row.erased.intersection(change.names.identifiers()):
                faults += _faults(one, [("", "is of somebody who was erased after the file was uploaded")])
            else:
                wanted.append((one, change))
        saved = await self._writer.save_within(connection, row.tenant_id, [change for _, change in wanted])
        for (one, _), result in zip(wanted, saved, strict=True):
            if result.decision.error is not None:
                faults += _faults(one, rows.faults_of(result.decision.error, reading))
        last = found[-1] if found else None
        return Progress(
            position=last.end if last else row.position,
            line=last.next_line if last else row.line,
            created=sum(one.is_new for one in saved),
            updated=sum(_is_updated(one) for one in saved),
            faults=faults,
        )

    async def _crashed(self, row: ImportRow, error: Exception) -> None:
        log.error("import_crashed", tenant_id=row.tenant_id, import_id=row.id, error=repr(error), exc_info=error)
        pause = 2.0**row.crashes * random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                if await store.note_crash(connection, row, pause) >= _MAX_CRASHES:
                    await store.end(connection, row.tenant_id, row.id, FAILED, Reason.INTERNAL_ERROR.text)


def _is_updated(saved: Saved) -> bool:
    return saved.decision.error is None and not saved.is_new


def _faults(row: Row, some: Sequence[Fault]) -> list[ImportFault]:
    return [ImportFault(row.line, number, header, text) for number, (header, text) in enumerate(some[:_MAX_OF_ROW])]
