"""Workflows in PostgreSQL. Every query names the tenant; each change is published in its transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from runtime import postgres
from runtime.clock import micros_of
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.router.endpoints.writing import Connection, Pool, TenantWrites
from services.router.segments.store import missing
from services.router.workflows.check import WorkflowFields
from services.router.workflows.document import Document, refused
from services.router.workflows.references import NO_SEGMENT

# Of one tenant.
MAX_WORKFLOWS = 1_000
# Active ones that one event may start: of its type and its scope, those of every scope included.
MAX_ACTIVE = 20
# Of one workflow: older ones are deleted, but for those that a run is on.
MAX_VERSIONS = 100

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_TAKEN = "Another workflow of this scope has this name."


@dataclass(frozen=True, slots=True)
class StoredWorkflow:
    """A workflow. version: the current one. row: the rest of its columns, the current document among them."""

    id: str
    fields: WorkflowFields
    version: int
    row: Any


class Activity(NamedTuple):
    """open_runs: have not ended. last_started_at_us: when the newest one began, Unix microseconds; 0: none is known."""

    open_runs: int = 0
    last_started_at_us: int = 0


@dataclass(frozen=True, slots=True)
class WorkflowSearch:
    """Filters of a list; empty: any. before: a cursor. offset: instead of it."""

    scope: str = ""
    event_type: str = ""
    active: bool | None = None
    text: str = ""
    before: str = ""
    offset: int = 0


Change = Callable[[WorkflowFields], tuple[WorkflowFields, Document | None]]


class WorkflowStore:
    """Reads and writes router.workflows. Methods raise UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool, writes: TenantWrites) -> None:
        self._pool = pool
        self._writes = writes

    async def create(
        self, tenant_id: str, fields: WorkflowFields, document: Document, by: str
    ) -> tuple[StoredWorkflow, int]:
        """Store and publish a workflow; return it and the revision.

        Raises NOT_FOUND (scope), and CONFLICT: the name is taken, or the tenant has as many as it may, or as many that
        are active for the type.
        """
        workflow_id = new_id()
        async with self._writes.begin(tenant_id) as write:
            connection = write.connection
            if fields.scope and not await connection.fetchval(_SQL.environment_exists, tenant_id, fields.scope):
                raise ClarionError(Code.NOT_FOUND, "There is no such scope.")
            if await connection.fetchval(_SQL.count, tenant_id) >= MAX_WORKFLOWS:
                raise ClarionError(Code.CONFLICT, f"A tenant has at most {MAX_WORKFLOWS:,} workflows.")
            await _unique(
                connection,
                _SQL.insert,
                tenant_id,
                workflow_id,
                fields.scope or None,
                fields.name,
                fields.description,
                fields.event_type,
                fields.active,
            )
            if fields.active:
                await _check_active(connection, tenant_id, fields)
            await _hold_segment(connection, tenant_id, document)
            await connection.execute(_SQL.insert_version, tenant_id, workflow_id, 1, document.raw.decode(), by)
            stored = await self._get(connection, tenant_id, workflow_id)
            write.changes(workflows=[fields.event_type])
        return stored, write.revision

    async def get(self, tenant_id: str, workflow_id: str) -> StoredWorkflow:
        """Return a workflow. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            return await self._get(self._pool, tenant_id, workflow_id)

    async def current(self, tenant_id: str, workflow_id: str) -> tuple[str, bytes]:
        """Return a workflow's event type and its current document, as it is stored. Raises NOT_FOUND."""
        stored = await self.get(tenant_id, workflow_id)
        return stored.fields.event_type, stored.row["document"].encode()

    async def activity(self, tenant_id: str, workflow_ids: Sequence[str], most: int) -> Mapping[str, Activity]:
        """Return what runs there are of workflows, by their ids. most: of the runs that are counted."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.activity, tenant_id, workflow_ids, most)
        return {
            str(row["id"]): Activity(
                row["open_runs"], micros_of(row["last_started_at"]) if row["last_started_at"] else 0
            )
            for row in rows
        }

    async def by_name(self, tenant_id: str, scope: str, name: str) -> StoredWorkflow:
        """Return the workflow with this name of a scope, else of every scope. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            return _found(await self._pool.fetchrow(_SQL.by_name, tenant_id, scope or None, name))

    async def page(self, tenant_id: str, search: WorkflowSearch, limit: int) -> tuple[list[StoredWorkflow], int]:
        """Return up to limit workflows, newest first, without their documents, and how many match."""
        filters = [tenant_id, search.scope or None, search.event_type or None, search.active, search.text]
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.page, *filters, search.before or None, search.offset, limit)
            total: int = await self._pool.fetchval(_SQL.total, *filters)
        return [_stored(row) for row in rows], total

    async def update(
        self, tenant_id: str, workflow_id: str, change: Change, *, expected_version: int, by: str
    ) -> tuple[StoredWorkflow, int]:
        """Store and publish what change returns; return the workflow and the revision.

        expected_version: 0: whichever. Raises what change raises, NOT_FOUND, and CONFLICT: the name is taken, another
        version is the current one, or it becomes active for a type that has as many active ones as it may.
        """
        async with self._writes.begin(tenant_id) as write:
            connection = write.connection
            old = await self._get(connection, tenant_id, workflow_id)
            if expected_version not in (0, old.version):
                raise ClarionError(
                    Code.CONFLICT, f"Version {old.version} is the current one: somebody changed the workflow meanwhile."
                )
            fields, document = change(old.fields)
            version = old.version
            if document is not None and document.raw != old.row["document"].encode():
                version += 1
                await _hold_segment(connection, tenant_id, document)
                await connection.execute(
                    _SQL.insert_version, tenant_id, workflow_id, version, document.raw.decode(), by
                )
                await connection.execute(_SQL.delete_versions, tenant_id, workflow_id, version - MAX_VERSIONS)
            await _unique(
                connection,
                _SQL.update,
                tenant_id,
                workflow_id,
                fields.name,
                fields.description,
                fields.event_type,
                fields.active,
                version,
            )
            if fields.active and (old.fields.event_type, old.fields.active) != (fields.event_type, True):
                await _check_active(connection, tenant_id, fields)
            stored = await self._get(connection, tenant_id, workflow_id)
            write.changes(workflows=[old.fields.event_type, fields.event_type])
        return stored, write.revision

    async def delete(self, tenant_id: str, workflow_id: str) -> int:
        """Delete a workflow with its versions; return the revision. Raises NOT_FOUND."""
        async with self._writes.begin(tenant_id) as write:
            event_type = await write.connection.fetchval(_SQL.delete, tenant_id, workflow_id)
            if event_type is None:
                raise _no_workflow()
            write.changes(workflows=[event_type])
        return write.revision

    async def endpoints_among(self, tenant_id: str, endpoint_ids: Sequence[str]) -> set[str]:
        """See services.router.workflows.references.Endpoints."""
        if not endpoint_ids:
            return set()
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.endpoints_among, tenant_id, endpoint_ids)
        return {str(row["id"]) for row in rows}

    async def versions(self, tenant_id: str, workflow_id: str) -> Sequence[asyncpg.Record]:
        """Return the newest versions, newest first, without their documents. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.versions, tenant_id, workflow_id, MAX_VERSIONS)
        if not rows:
            raise _no_workflow()
        return rows

    async def version(self, tenant_id: str, workflow_id: str, version: int) -> asyncpg.Record:
        """Return a version. Raises NOT_FOUND."""
        with postgres.unavailable_while_down():
            row = await self._pool.fetchrow(_SQL.version, tenant_id, workflow_id, version)
        if row is None:
            raise ClarionError(Code.NOT_FOUND, "There is no such version of this workflow.")
        return row

    async def _get(self, reader: Any, tenant_id: str, workflow_id: str) -> StoredWorkflow:
        return _found(await reader.fetchrow(_SQL.get, tenant_id, workflow_id))


async def _unique(connection: Connection, query: str, *arguments: object) -> None:
    """Run a query that writes a name. Raises CONFLICT if it is taken."""
    try:
        await connection.execute(query, *arguments)
    except asyncpg.UniqueViolationError:
        raise ClarionError(Code.CONFLICT, _TAKEN, fields=[("name", "must be unique within its scope")]) from None


async def _check_active(connection: Connection, tenant_id: str, fields: WorkflowFields) -> None:
    """Raise CONFLICT if an event of this type may now start more workflows than it may. The tenant is locked."""
    started = await connection.fetchval(_SQL.started_by_one_event, tenant_id, fields.event_type, fields.scope or None)
    if started > MAX_ACTIVE:
        message = (
            f"An event type has at most {MAX_ACTIVE} active workflows in a scope, those for all scopes included."
            " Deactivate one of them first, or add the steps to one of them."
        )
        raise ClarionError(Code.CONFLICT, message)


def _found(row: Any) -> StoredWorkflow:
    if row is None:
        raise _no_workflow()
    return _stored(row)


def _no_workflow() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "There is no such workflow.")


def _stored(row: Any) -> StoredWorkflow:
    fields = WorkflowFields(
        str(row["environment_id"] or ""), row["name"], row["description"], row["event_type"], row["is_active"]
    )
    return StoredWorkflow(str(row["id"]), fields, row["version"], row)


async def _hold_segment(connection: Connection, tenant_id: str, document: Document) -> None:
    """Keep the segment of a document from being deleted before it is stored. Raises INVALID if it was deleted."""
    if document.segment_id and await missing(connection, tenant_id, [document.segment_id]):
        raise refused([NO_SEGMENT])
