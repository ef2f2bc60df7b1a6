"""The document and its page, as the gateway serves them."""

import re

import aiohttp
import pytest

from gateway.openapi.document import document


async def test_the_document_is_served(http: aiohttp.ClientSession) -> None:
    """To everybody: it tells no secret."""
    async with http.get("/openapi.json") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert await answer.json() == document()


async def test_the_page_needs_nothing_from_elsewhere(http: aiohttp.ClientSession) -> None:
    """Its policy forbids scripts; its one style is the gateway's own."""
    async with http.get("/docs") as answer:
        assert answer.status == 200
        policy, html = answer.headers["Content-Security-Policy"], await answer.text()
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert re.findall(r'(?:src|href)="(/[^"]*)"', html) == ["/docs/style.css", "/openapi.json"]
    async with http.get("/docs/style.css") as style:
        assert (style.status, style.content_type) == (200, "text/css")


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_it_is_only_read(http: aiohttp.ClientSession, path: str) -> None:
    """Another method is 405, and told which one is right."""
    async with http.post(path) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET"
