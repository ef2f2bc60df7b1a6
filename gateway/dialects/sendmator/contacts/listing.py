"""GET /contacts: the list."""

from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from clarion.router.v1 import recipients_pb2
from gateway.dialects.sendmator import lists, times
from gateway.dialects.sendmator.calls import Call
from gateway.dialects.sendmator.contacts import shapes
from gateway.dialects.sendmator.errors import bad_request
from gateway.replies import json_reply

QUERY = (
    "page",
    "limit",
    "starting_after",
    "cursor",
    "tag",
    "tags",
    "tags[]",
    "search",
    "email",
    "segment_id",
    "is_active",
    "is_unsubscribed",
    "sort_by",
    "sort_order",
    "created_after",
    "created_before",
)
# What the store cannot find or sort by is looked for among so many contacts.
MAX_SCANNED = 10_000

_SORTS = ("created_at", "updated_at", "email", "first_name", "last_name")

_Contact = dict[str, Any]


async def list_all(call: Call) -> web.Response:
    """List contacts, by page number or by cursor, in the three shapes that the vendor's documents show."""
    page = lists.page(call.request)
    wire = recipients_pb2.ListRecipientsRequest(
        tenant_id=call.caller.tenant_id,
        tags=_tags(call.request),
        search=_search(call.request),
        segment_id=call.request.query.get("segment_id", ""),
        limit=page.limit,
        count=True,
    )
    wanted = _filters(call.request)
    sort = _sort(call.request)
    bound = (call.caller.tenant_id, ",".join(wire.tags), wire.search, wire.segment_id)
    cursor = call.request.query.get("starting_after") or call.request.query.get("cursor") or ""
    if wanted or sort is not None:
        found = [one for one in await _scan(call, wire) if all(is_good(one) for is_good in wanted)]
        if sort is not None:
            found = sort(found)
        rows = found[page.offset : page.offset + page.limit]
        return json_reply(lists.shown("contacts", rows, page, total=len(found)))
    if cursor:
        wire.cursor = call.backend.cursors.open(cursor, *bound)
    else:
        wire.offset = page.offset
    answer = await call.ask(call.clients.recipients.ListRecipients, wire)
    rows = list(map(shapes.shown, answer.recipients))
    total = answer.total if answer.total >= 0 else MAX_SCANNED
    following = call.backend.cursors.seal(answer.next_cursor, *bound) if answer.next_cursor else None
    has_more = bool(following) if following or cursor else None
    return json_reply(lists.shown("contacts", rows, page, total=total, has_more=has_more, next_cursor=following))


async def _scan(call: Call, wire: recipients_pb2.ListRecipientsRequest) -> list[_Contact]:
    """Return all contacts that the store finds, up to the bound."""
    found: list[_Contact] = []
    wire.limit, wire.count = lists.MAX_LIMIT, False
    while len(found) < MAX_SCANNED:
        answer = await call.ask(call.clients.recipients.ListRecipients, wire)
        found += map(shapes.shown, answer.recipients)
        wire.cursor = answer.next_cursor
        if not wire.cursor:
            break
    return found


def _tags(request: web.Request) -> list[str]:
    """Return the tags that are all wanted: given several times, or with commas between them."""
    query = request.query
    given = [*query.getall("tag", ()), *query.getall("tags", ()), *query.getall("tags[]", ())]
    return [tag for tag in dict.fromkeys(part.strip() for text in given for part in text.split(",")) if tag]


def _search(request: web.Request) -> str:
    email = request.query.get("email", "")
    if len(email) > lists.MAX_SEARCH:
        raise bad_request(f"email must be at most {lists.MAX_SEARCH} characters long")
    return lists.search(request) or email


def _filters(request: web.Request) -> list[Callable[[_Contact], bool]]:
    """Return what contacts must be besides what the store finds."""
    found: list[Callable[[_Contact], bool]] = []
    flags = {name: lists.flag(request, name) for name in ("is_active", "is_unsubscribed")}
    wanted = {name: flag for name, flag in flags.items() if flag is not None}
    if wanted:
        found.append(lambda contact: all(contact[name] is flag for name, flag in wanted.items()))
    if request.query.get("search") and (email := request.query.get("email", "").lower()):
        found.append(lambda contact: email in (contact["email"] or "").lower())
    if after := _moment(request, "created_after"):
        found.append(lambda contact: contact["created_at"] > after)
    if before := _moment(request, "created_before"):
        found.append(lambda contact: contact["created_at"] < before)
    return found


def _moment(request: web.Request, name: str) -> str:
    """Return a time as contacts show theirs, so that both compare as texts; empty: it is absent."""
    text = request.query.get(name, "")
    if not text:
        return ""
    at_us = times.micros(text)
    if at_us is None:
        raise bad_request(f"Invalid {name} format")
    return times.iso(at_us or 1) or ""


def _sort(request: web.Request) -> Callable[[Sequence[_Contact]], list[_Contact]] | None:
    """Return how to sort; None: as the store does."""
    by, order = request.query.get("sort_by", ""), request.query.get("sort_order", "").upper()
    if by and by not in _SORTS:
        raise bad_request(f"sort_by must be one of {', '.join(_SORTS)}")
    if order not in ("", "ASC", "DESC"):
        raise bad_request("sort_order must be ASC or DESC")
    if not by and not order:
        return None
    field = by or "created_at"
    return lambda contacts: sorted(contacts, key=lambda one: one[field] or "", reverse=order == "DESC")
