"""ImportService: wire to store."""

import re
from collections.abc import Callable
from typing import Any

from clarion.router.v1 import imports_pb2, imports_pb2_grpc
from runtime import logs
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain.paging import page_limit
from services.router.imports.rows import MAX_COLUMNS
from services.router.imports.store import MAX_CHUNK, ImportRow, ImportStore
from services.router.recipients.check import Fault, invalid, tenant, text, wrong_tags
from services.router.recipients.servicer import check

IMPORT_SERVICE = "clarion.router.v1.ImportService"

MAX_TAGS = 20
DEFAULT_FAULTS, MAX_FAULTS = 100, 1000

_CURSOR = re.compile(r"[0-9]{1,9}\.[0-9]{1,4}")

log = logs.get(__name__)


class ImportServicer(imports_pb2_grpc.ImportServiceServicer):
    """See proto/clarion/router/v1/imports.proto. wake: called when an import can be worked off."""

    def __init__(self, imports: ImportStore, wake: Callable[[], None]) -> None:
        self._imports = imports
        self._wake = wake

    async def CreateImport(
        self, request: imports_pb2.CreateImportRequest, context: Any
    ) -> imports_pb2.CreateImportResponse:
        """Begin the upload of a file."""
        options = request.options
        faults: list[Fault] = [
            *tenant(options.tenant_id),
            *text("file_name", options.file_name),
            *text("by", options.by),
            *wrong_tags(options.tags),
        ]
        if len(options.tags) > MAX_TAGS:
            faults.append(("tags", f"must be at most {MAX_TAGS}"))
        if len(options.columns) > MAX_COLUMNS:
            faults.append(("columns", f"must be at most {MAX_COLUMNS}"))
        for name, field in options.columns.items():
            faults += [*text("columns", name), *text("columns", field)]
        if faults:
            raise invalid(faults)
        row = await self._imports.create(options)
        return imports_pb2.CreateImportResponse(summary=_summary(row))

    async def AddImportChunk(
        self, request: imports_pb2.AddImportChunkRequest, context: Any
    ) -> imports_pb2.AddImportChunkResponse:
        """Add the next bytes of a file."""
        check(request.tenant_id)
        if not 1 <= len(request.chunk) <= MAX_CHUNK:
            raise invalid([("chunk", f"must be from 1 byte to {MAX_CHUNK // 1024} KiB")])
        is_known = is_uuid(request.import_id) and await self._imports.add_chunk(
            request.tenant_id, request.import_id, request.position, request.chunk
        )
        if not is_known:
            raise _no_import()
        return imports_pb2.AddImportChunkResponse()

    async def StartImport(
        self, request: imports_pb2.StartImportRequest, context: Any
    ) -> imports_pb2.StartImportResponse:
        """Let a file be worked off."""
        check(request.tenant_id)
        known = is_uuid(request.import_id)
        row = await self._imports.start(request.tenant_id, request.import_id, request.size) if known else None
        if row is None:
            raise _no_import()
        self._wake()
        log.info("import_started", tenant_id=request.tenant_id, import_id=row.id, size=row.size)
        return imports_pb2.StartImportResponse(summary=_summary(row))

    async def GetImport(self, request: imports_pb2.GetImportRequest, context: Any) -> imports_pb2.GetImportResponse:
        """Return an import."""
        row = await self._find(request.tenant_id, request.import_id)
        return imports_pb2.GetImportResponse(summary=_summary(row))

    async def ListImports(
        self, request: imports_pb2.ListImportsRequest, context: Any
    ) -> imports_pb2.ListImportsResponse:
        """List imports."""
        limit = page_limit(request.limit)
        check(request.tenant_id, cursor=request.cursor)
        rows = await self._imports.page(request.tenant_id, request.cursor, limit)
        return imports_pb2.ListImportsResponse(
            imports=map(_summary, rows), next_cursor=rows[-1].id if len(rows) == limit else ""
        )

    async def ListImportFaults(
        self, request: imports_pb2.ListImportFaultsRequest, context: Any
    ) -> imports_pb2.ListImportFaultsResponse:
        """List rows that were not stored."""
        limit = page_limit(request.limit, default=DEFAULT_FAULTS, largest=MAX_FAULTS)
        row = await self._find(request.tenant_id, request.import_id)
        faults = await self._imports.faults(request.tenant_id, row.id, _after(request.cursor), limit)
        last = faults[-1] if len(faults) == limit else None
        return imports_pb2.ListImportFaultsResponse(
            faults=[
                imports_pb2.ImportFault(line=one.line, column=one.header, description=one.description) for one in faults
            ],
            next_cursor=f"{last.line}.{last.number}" if last else "",
        )

    async def CancelImport(
        self, request: imports_pb2.CancelImportRequest, context: Any
    ) -> imports_pb2.CancelImportResponse:
        """End an import."""
        check(request.tenant_id)
        known = is_uuid(request.import_id)
        row = await self._imports.cancel(request.tenant_id, request.import_id) if known else None
        if row is None:
            raise _no_import()
        log.info("import_canceled", tenant_id=request.tenant_id, import_id=row.id)
        return imports_pb2.CancelImportResponse(summary=_summary(row))

    async def _find(self, tenant_id: str, import_id: str) -> ImportRow:
        check(tenant_id)
        row = await self._imports.get(tenant_id, import_id) if is_uuid(import_id) else None
        if row is None:
            raise _no_import()
        return row


def _after(cursor: str) -> tuple[int, int]:
    """Return line and number of the last fault of the page before. Raises INVALID."""
    if not cursor:
        return 0, 0
    if not _CURSOR.fullmatch(cursor):
        raise invalid([("cursor", "must be the next_cursor of the previous page")])
    line, number = cursor.split(".")
    return int(line), int(number)


def _no_import() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "There is no import with this id.")


def _summary(row: ImportRow) -> imports_pb2.Import:
    return imports_pb2.Import(
        id=row.id,
        tenant_id=row.tenant_id,
        file_name=row.file_name,
        state=row.state,
        size=row.size,
        position=row.position,
        created=row.created,
        updated=row.updated,
        faults=row.faults,
        detail=row.detail,
        by=row.by,
        created_at_us=row.created_at_us,
        finished_at_us=row.finished_at_us,
    )
