"""The stored recipients of a tenant as a CSV file, in the form that an import reads."""

import csv
import io
import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from aiohttp import web
from msgspec import Meta, field

from clarion.router.v1 import recipients_pb2
from gateway.admin import forms
from gateway.admin.imports import CSV
from gateway.clients import Clients

_COLUMNS = ("recipient_id", "email", "phone", "name", "locale", "timezone", "tags", "data")
_PAGE = 100
# A page of a search may look at all recipients of a tenant, seconds.
_PAGE_DEADLINE_S = 15.0
# Spreadsheets take a cell that begins so for a formula, some of them full-width signs, too; an import removes the
# apostrophe again.
_FORMULAS = ("=", "+", "-", "@", *"\uff1d\uff0b\uff0d\uff20", "\t", "\r", "\n", "'")
# What looks like a formula, and is a number.
_NUMBER = re.compile(r"[+-]?[0-9]+")
# An import separates tags by these.
_HAS_SEPARATOR = re.compile(r"[,;\[]")


class RecipientExportBody(forms.Body):
    """The body of POST /tenants/{id}/recipient-export: whom the file has; all of it empty: everybody.

    segment_id: who is in this segment now. tags: who has all of these. search: a part of an id, name or address.
    """

    segment_id: forms.OptionalId = ""
    tags: Annotated[list[str], Meta(max_length=50)] = field(default_factory=list)
    search: Annotated[str, Meta(max_length=100)] = ""


class RecipientExportRoutes:
    """The handler of the export, which asks the router's RecipientService page by page."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def export(self, request: web.Request) -> web.Response:
        """Stream the file. What fails on the way breaks the connection off, so that no part is taken for the whole."""
        body = await forms.read(request, RecipientExportBody)
        wire = recipients_pb2.ListRecipientsRequest(
            tenant_id=await forms.path_tenant(request, self._clients),
            segment_id=body.segment_id,
            tags=body.tags,
            search=body.search,
            limit=_PAGE,
        )
        pages = self._pages(wire)
        first = await anext(pages)  # so that an error of the request is answered as one
        headers = {"Content-Disposition": 'attachment; filename="recipients.csv"'}
        return web.Response(body=_whole(first, pages), content_type=CSV, charset="utf-8", headers=headers)

    async def _pages(self, wire: recipients_pb2.ListRecipientsRequest) -> AsyncIterator[bytes]:
        """Yield the rows of each page."""
        while True:
            found = await self._clients.call(self._clients.recipients.ListRecipients, wire, deadline=_PAGE_DEADLINE_S)
            yield _rows([_cells(one) for one in found.recipients])
            if not found.next_cursor:
                return
            wire.cursor = found.next_cursor


async def _whole(first: bytes, pages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield _rows([_COLUMNS]) + first
    async for page in pages:
        if page:  # an empty piece would end the answer
            yield page


def _cells(one: recipients_pb2.StoredRecipient) -> Sequence[str]:
    texts = (one.recipient_id, one.email, one.phone, one.name, one.locale, one.timezone)
    tags = (
        json.dumps([*one.tags], ensure_ascii=False) if _HAS_SEPARATOR.search("".join(one.tags)) else ",".join(one.tags)
    )
    return [*map(_safe, texts), _safe(tags), one.data.decode() if one.data != b"{}" else ""]


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULAS) and not _NUMBER.fullmatch(text) else text


def _rows(rows: Sequence[Sequence[str]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()
