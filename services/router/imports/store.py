"""Imports in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import asyncpg
import msgspec

from clarion.router.v1 import imports_pb2
from runtime import clock, postgres
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.router.imports.rows import MAX_ROW, Header, Import, header
from services.router.recipients.check import invalid
from services.router.recipients.store import ACQUIRE_S, AFTER_ALL, Connection, Pool, count_of

UPLOADING = imports_pb2.IMPORT_STATE_UPLOADING
RUNNING = imports_pb2.IMPORT_STATE_RUNNING
DONE = imports_pb2.IMPORT_STATE_DONE
CANCELED = imports_pb2.IMPORT_STATE_CANCELED
FAILED = imports_pb2.IMPORT_STATE_FAILED

State: TypeAlias = imports_pb2.ImportState.ValueType

# Bytes of a file, and of one of its chunks.
MAX_SIZE = 64 * 1024 * 1024
MAX_CHUNK = 192 * 1024
# Of a tenant, that have not ended.
MAX_UNDER_WAY = 10
# Seconds after which an upload that does not go on is given up.
UPLOAD_S = 3600
# Faults that are kept of an import.
MAX_FAULTS = 10_000
# Seconds for which an import is kept.
KEPT_S = 30 * 24 * 3600
_SWEPT = 100

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ImportRow:
    """An import. See clarion.router.v1.Import and migration 0009. Times in Unix microseconds; 0: not yet."""

    tenant_id: str
    id: str
    file_name: str
    columns: Mapping[str, str]
    tags: Sequence[str]
    unique_email: bool
    by: str
    state: State
    size: int
    delimiter: str
    headers: Sequence[str]
    fields: Sequence[str]
    position: int
    line: int
    created: int
    updated: int
    faults: int
    detail: str
    erased: frozenset[str]
    crashes: int
    created_at_us: int
    finished_at_us: int

    @property
    def reading(self) -> Import:
        """How its rows are read."""
        return Import(self.delimiter, self.headers, self.fields, self.tags, self.unique_email)


@dataclass(frozen=True, slots=True)
class ImportFault:
    """A row that was not stored. number: among the faults of its line. header: of the column; empty: of the row."""

    line: int
    number: int
    header: str
    description: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What a step did. position, line: at which the next row begins."""

    position: int
    line: int
    created: int
    updated: int
    faults: Sequence[ImportFault]


class ImportStore:
    """Reads and writes router.imports. Methods raise UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, options: imports_pb2.ImportOptions) -> ImportRow:
        """Begin an upload. Raises LIMITED if MAX_UNDER_WAY imports of the tenant have not ended."""
        id_, tenant_id = new_id(), options.tenant_id
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                await connection.execute(_SQL.lock, tenant_id)
                if await connection.fetchval(_SQL.number_under_way, tenant_id) >= MAX_UNDER_WAY:
                    message = f"{MAX_UNDER_WAY} imports have not ended: wait for one, or cancel one."
                    raise ClarionError(Code.LIMITED, message, retry_after=60)
                columns = _encode(dict(options.columns)).decode()
                values = columns, list(options.tags), options.unique_email, options.by, UPLOADING, UPLOAD_S
                await connection.execute(_SQL.insert, tenant_id, id_, options.file_name, *values)
                row = await connection.fetchrow(_SQL.get, tenant_id, id_)
        if row is None:
            raise AssertionError("it was inserted")
        return import_of(row)

    async def add_chunk(self, tenant_id: str, import_id: str, position: int, body: bytes) -> bool:
        """Add the next bytes of a file; False: there is no such import.

        Raises INVALID if they do not follow those before or are too many, CONFLICT if the file is whole.
        """
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                row = await connection.fetchrow(_SQL.lock_one, tenant_id, import_id)
                if row is None:
                    return False
                _check_uploading(row["state"])
                if position + len(body) == row["size"] and await connection.fetchval(
                    _SQL.has_chunk, tenant_id, import_id, position, body
                ):
                    return True  # the same again: its answer was lost
                if position != row["size"]:
                    raise invalid([("position", f"must be {row['size']}, which is the number of bytes so far")])
                if position + len(body) > MAX_SIZE:
                    raise invalid([("chunk", f"makes the file larger than {MAX_SIZE // 1024 // 1024} MiB")])
                await connection.execute(_SQL.add_chunk, tenant_id, import_id, position, body)
                await connection.execute(_SQL.grow, tenant_id, import_id, position + len(body), UPLOAD_S)
        return True

    async def start(self, tenant_id: str, import_id: str, size: int) -> ImportRow | None:
        """Let a file be worked off that is whole; None: there is no such import.

        Raises INVALID if its header cannot be used, and deletes it then; CONFLICT if bytes are missing, or it has
        ended.
        """
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                locked = await connection.fetchrow(_SQL.lock_one, tenant_id, import_id)
                row = await connection.fetchrow(_SQL.get, tenant_id, import_id) if locked else None
                if row is None or row["state"] == RUNNING:
                    return import_of(row) if row else None  # its answer was lost
                _check_uploading(row["state"])
                if row["size"] != size:
                    raise ClarionError(Code.CONFLICT, f"The file has {row['size']} bytes so far, not {size}.")
                beginning = await read_part(connection, tenant_id, import_id, 0)
                found = _header(beginning, import_of(row))
                if isinstance(found, Header):
                    values = (
                        found.delimiter,
                        list(found.headers),
                        list(found.fields),
                        found.row.end,
                        found.row.next_line,
                    )
                    await connection.execute(_SQL.start, tenant_id, import_id, RUNNING, *values)
                    row = await connection.fetchrow(_SQL.get, tenant_id, import_id)
                else:
                    await connection.execute(_SQL.delete, tenant_id, import_id)
        if isinstance(found, ClarionError):
            raise found
        return import_of(row) if row else None

    async def get(self, tenant_id: str, import_id: str) -> ImportRow | None:
        """Return an import; None: there is none with this id."""
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.get, tenant_id, import_id)
        return import_of(row) if row else None

    async def page(self, tenant_id: str, before: str, limit: int) -> list[ImportRow]:
        """Return imports, the newest first. before: the id of the last one of the page before; empty: the first."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.page, tenant_id, before or AFTER_ALL, limit)
        return list(map(import_of, rows))

    async def faults(self, tenant_id: str, import_id: str, after: tuple[int, int], limit: int) -> list[ImportFault]:
        """Return faults in the order of their lines. after: line and number of the last one before the page."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.faults, tenant_id, import_id, *after, limit)
        return [ImportFault(row["line"], row["number"], row["header"], row["description"]) for row in rows]

    async def cancel(self, tenant_id: str, import_id: str) -> ImportRow | None:
        """End an import; None: there is no such import. Raises CONFLICT if it has ended."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                has_ended = not await end(connection, tenant_id, import_id, CANCELED)
                row = await connection.fetchrow(_SQL.get, tenant_id, import_id)
        if row is None:
            return None
        if has_ended:
            raise ClarionError(Code.CONFLICT, "The import has ended.")
        return import_of(row)

    async def note_erased(self, tenant_id: str, identifiers: Sequence[str]) -> None:
        """Keep imports that have not ended from storing somebody again. identifiers: see Names.identifiers."""
        with postgres.unavailable_while_down():
            await self._pool.execute(_SQL.add_erased, tenant_id, list(identifiers))

    async def delete_old(self) -> bool:
        """Delete some imports that ended long ago; return whether there may be more."""
        async with postgres.background_transaction(self._pool) as connection:
            return count_of(await connection.execute(_SQL.delete_old, KEPT_S, _SWEPT)) == _SWEPT


async def claim(connection: Connection) -> ImportRow | None:
    """Return an import that is due; None: there is none. It is locked until the transaction ends."""
    row = await connection.fetchrow(_SQL.claim)
    return import_of(row) if row else None


async def read_part(connection: Connection, tenant_id: str, import_id: str, position: int) -> bytes:
    """Return the bytes of a file from a position on: enough for the longest row and the begin of the next one."""
    rows = await connection.fetch(_SQL.part, tenant_id, import_id, position, 2 * MAX_ROW, MAX_CHUNK)
    return b"".join([row["body"] for row in rows])[: 2 * MAX_ROW]


async def go_on(connection: Connection, row: ImportRow, progress: Progress) -> None:
    """Store what a step did."""
    values = progress.created, progress.updated, len({fault.line for fault in progress.faults})
    await connection.execute(_SQL.progress, row.tenant_id, row.id, progress.position, progress.line, *values)
    if kept := progress.faults[: max(0, MAX_FAULTS - row.faults)]:
        columns = zip(*[(one.line, one.number, one.header, one.description) for one in kept], strict=True)
        await connection.execute(_SQL.add_faults, row.tenant_id, row.id, *map(list, columns))


async def end(connection: Connection, tenant_id: str, import_id: str, state: State, detail: str = "") -> bool:
    """End an import and delete its file; False: it has ended before, or there is none."""
    if not count_of(await connection.execute(_SQL.end, tenant_id, import_id, state, detail)):
        return False
    await connection.execute(_SQL.delete_chunks, tenant_id, import_id)
    return True


async def note_crash(connection: Connection, row: ImportRow, pause_s: float) -> int:
    """Let an import wait that could not be worked on because of our own fault; return how often in a row."""
    return int(await connection.fetchval(_SQL.crashed, row.tenant_id, row.id, pause_s) or 0)


def import_of(row: asyncpg.Record) -> ImportRow:
    """Return a row of get."""
    return ImportRow(
        tenant_id=str(row["tenant_id"]),
        id=str(row["id"]),
        file_name=row["file_name"],
        columns=msgspec.json.decode(row["columns"]),
        tags=row["tags"],
        unique_email=row["unique_email"],
        by=row["created_by"],
        state=imports_pb2.ImportState.ValueType(row["state"]),
        size=row["size"],
        delimiter=row["delimiter"],
        headers=row["headers"],
        fields=row["fields"],
        position=row["position"],
        line=row["line"],
        created=row["created"],
        updated=row["updated"],
        faults=row["faults"],
        detail=row["detail"],
        erased=frozenset(row["erased"]),
        crashes=row["crashes"],
        created_at_us=clock.micros_of(row["created_at"]),
        finished_at_us=clock.micros_of(row["finished_at"]) if row["finished_at"] else 0,
    )


def _header(beginning: bytes, row: ImportRow) -> Header | ClarionError:
    try:
        return header(beginning, row.columns)
    except ClarionError as error:
        return error


def _check_uploading(state: State) -> None:
    if state != UPLOADING:
        raise ClarionError(Code.CONFLICT, "The import was started, or has ended.")
