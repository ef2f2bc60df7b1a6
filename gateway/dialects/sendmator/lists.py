"""Lists: the page that a query names, and answers in all three shapes that the vendor's documents show. Pure."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from aiohttp import web

from gateway.dialects.sendmator.errors import bad_request

MAX_LIMIT = 100
MAX_SEARCH = 100
# As far as pages by number reach.
MAX_OFFSET = 10_000


class Page(NamedTuple):
    """The part of a list that is asked for: number counts from 1."""

    number: int
    limit: int

    @property
    def offset(self) -> int:
        """How many entries stand before it."""
        return (self.number - 1) * self.limit


def page(request: web.Request, *, default: int = 20) -> Page:
    """Return the page of ?page=&limit=. A limit above 100 is 100. Raises ApiError."""
    found = Page(_number(request, "page", 1), min(_number(request, "limit", default), MAX_LIMIT))
    if found.offset >= MAX_OFFSET:
        raise bad_request(f"page must lie within the first {MAX_OFFSET:,} entries; use the cursor to read on")
    return found


def flag(request: web.Request, name: str) -> bool | None:
    """Return ?name=true|false, None if it is absent. Raises ApiError."""
    text = request.query.get(name)
    if text is None:
        return None
    if text not in ("true", "false"):
        raise bad_request(f"{name} must be true or false")
    return text == "true"


def search(request: web.Request) -> str:
    """Return ?search=, empty if it is absent. Raises ApiError."""
    text = request.query.get("search", "")
    if len(text) > MAX_SEARCH:
        raise bad_request(f"search must be at most {MAX_SEARCH} characters long")
    return text


def shown(
    kind: str,
    rows: Sequence[Any],
    at: Page,
    *,
    total: int,
    has_more: bool | None = None,
    next_cursor: str | None = None,
) -> dict[str, Any]:
    """Return an answer. kind: the key that one of the shapes has for the rows ("contacts"). total: of all pages.

    has_more: whether rows follow these; None: as total says.
    """
    pages = -(-total // at.limit)
    return {
        "success": True,
        "data": rows,
        kind: rows,
        "has_more": has_more if has_more is not None else at.offset + len(rows) < total,
        "next_cursor": next_cursor,
        "total": total,
        "page": at.number,
        "limit": at.limit,
        "totalPages": pages,
        "pagination": {"page": at.number, "limit": at.limit, "total": total, "totalPages": pages},
    }


def both(thing: dict[str, Any]) -> dict[str, Any]:
    """Return the answer with one thing: bare, as most clients read it, and also as {success, data}."""
    return {**thing, "success": True, "data": thing}


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < 1:
        raise bad_request(f"{name} must be a whole number from 1")
    return int(text)
