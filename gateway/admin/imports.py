"""Imports of a tenant's recipients from CSV files."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, field

from clarion.router.v1 import imports_pb2
from gateway import queries
from gateway.access.asker import ASKER
from gateway.admin import forms
from gateway.clients import Clients
from gateway.replies import BodyError, json_reply
from runtime.errors import ClarionError, Code

CSV = "text/csv"
MAX_FILE_BYTES = 64 * 1024 * 1024
# Bytes that are passed on together; within the router's limit.
_CHUNK = 128 * 1024
# The longest time a file, and a piece of it, may take to arrive, in seconds.
_FILE_S, _PIECE_S = 600.0, 20.0
# Files that arrive at a time: each holds a chunk in memory.
_AT_A_TIME = 8

STATES: Mapping[int, str] = {
    imports_pb2.IMPORT_STATE_UPLOADING: "uploading",
    imports_pb2.IMPORT_STATE_RUNNING: "running",
    imports_pb2.IMPORT_STATE_DONE: "done",
    imports_pb2.IMPORT_STATE_CANCELED: "canceled",
    imports_pb2.IMPORT_STATE_FAILED: "failed",
}


class NewImportBody(forms.Body):
    """The body of POST /tenants/{id}/imports.

    columns: what each column of the file is, by its header; empty: by their headers. tags: added to everybody.
    unique_email: rows with the address of somebody who is stored change them.
    """

    file_name: Annotated[str, Meta(max_length=255, examples=["people.csv"])] = ""
    columns: Annotated[dict[str, str], Meta(max_length=100, examples=[{"E-Mail": "email", "Plan": "data.plan"}])] = (
        field(default_factory=dict)
    )
    tags: Annotated[list[str], Meta(max_length=20)] = field(default_factory=list)
    unique_email: bool = True


class ImportRoutes:
    """Handlers that ask the router's ImportService, always for the tenant in the path."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._arriving = 0

    async def create(self, request: web.Request) -> web.Response:
        """Begin an import; its file comes next."""
        body = await forms.read(request, NewImportBody)
        tenant_id = await forms.path_tenant(request, self._clients)
        options = imports_pb2.ImportOptions(
            tenant_id=tenant_id,
            file_name=body.file_name,
            columns=body.columns,
            tags=body.tags,
            unique_email=body.unique_email,
            by=request[ASKER].actor,
        )
        wire = imports_pb2.CreateImportRequest(options=options)
        answer = await self._clients.call(self._clients.imports.CreateImport, wire)
        return json_reply(_shown(answer.summary), status=201)

    async def upload(self, request: web.Request) -> web.Response:
        """Take the file of an import, and let it be worked off."""
        if request.content_type != CSV or (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
            raise BodyError(415, "Content-Type must be text/csv, in UTF-8.")
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise BodyError(415, "A compressed body is not accepted.")
        if (request.content_length or 0) > MAX_FILE_BYTES:
            raise _too_large()
        which = await self._import(request)
        if self._arriving >= _AT_A_TIME:
            raise ClarionError(Code.OVERLOADED, "Too many files are arriving; try again shortly.", retry_after=5)
        self._arriving += 1
        try:
            async with asyncio.timeout(_FILE_S):
                size = await self._pass_on(request, which)
        except TimeoutError:
            raise BodyError(408, "The file took too long to arrive.") from None
        finally:
            self._arriving -= 1
        wire = imports_pb2.StartImportRequest(**which, size=size)
        answer = await self._clients.call(self._clients.imports.StartImport, wire)
        return json_reply(_shown(answer.summary), status=202)

    async def list_all(self, request: web.Request) -> web.Response:
        """List imports, newest first."""
        wire = imports_pb2.ListImportsRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.imports.ListImports, wire)
        return json_reply(forms.page(request, list(map(_shown, answer.imports)), answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return one import with how far it has come."""
        wire = imports_pb2.GetImportRequest(**await self._import(request))
        answer = await self._clients.call(self._clients.imports.GetImport, wire)
        return json_reply(_shown(answer.summary))

    async def faults(self, request: web.Request) -> web.Response:
        """List the rows of a file that were not stored."""
        (limit,) = queries.numbers(request, limit=queries.Bounds(100, 1, 1000))
        wire = imports_pb2.ListImportFaultsRequest(
            **await self._import(request), limit=limit, cursor=forms.cursor(request)
        )
        answer = await self._clients.call(self._clients.imports.ListImportFaults, wire)
        faults = [
            {"line": one.line, "column": one.column or None, "description": one.description} for one in answer.faults
        ]
        return json_reply(forms.page(request, faults, answer.next_cursor))

    async def cancel(self, request: web.Request) -> web.Response:
        """End an import; what is stored stays."""
        wire = imports_pb2.CancelImportRequest(**await self._import(request))
        answer = await self._clients.call(self._clients.imports.CancelImport, wire)
        return json_reply(_shown(answer.summary))

    async def _pass_on(self, request: web.Request, which: Mapping[str, str]) -> int:
        """Pass the file on in chunks; return its size, bytes."""
        position = 0
        async for chunk in _chunks(request):
            if position + len(chunk) > MAX_FILE_BYTES:
                raise _too_large()
            wire = imports_pb2.AddImportChunkRequest(**which, position=position, chunk=chunk)
            await self._clients.call(self._clients.imports.AddImportChunk, wire)
            position += len(chunk)
        return position

    async def _import(self, request: web.Request) -> dict[str, str]:
        """Return the fields that identify the import in the path. Raises NOT_FOUND if there is no such tenant."""
        tenant_id = await forms.path_tenant(request, self._clients)
        return {"tenant_id": tenant_id, "import_id": forms.path_uuid(request, "import_id")}


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    waiting = bytearray()
    while True:
        async with asyncio.timeout(_PIECE_S):
            piece = await request.content.readany()
        waiting += piece
        while len(waiting) >= _CHUNK or (waiting and not piece):
            yield bytes(waiting[:_CHUNK])
            del waiting[:_CHUNK]
        if not piece:
            return


def _too_large() -> BodyError:
    return BodyError(413, f"The file must have at most {MAX_FILE_BYTES // 1024 // 1024} MiB.")


def _shown(one: imports_pb2.Import) -> dict[str, Any]:
    return {
        "id": one.id,
        "file_name": one.file_name,
        "state": STATES.get(one.state),
        "size": one.size,
        "position": one.position,
        "created": one.created,
        "updated": one.updated,
        "faults": one.faults,
        "detail": one.detail or None,
        "by": one.by,
        "created_at": forms.iso(one.created_at_us),
        "finished_at": forms.iso(one.finished_at_us),
    }
