"""The document and its page, as the gateway serves them."""

import re

import aiohttp
import pytest
import yarl

from gateway.openapi.document import document
from gateway.openapi.page import VIEWER


async def test_the_document_is_served(http: aiohttp.ClientSession) -> None:
    """To everybody: it tells no secret."""
    async with http.get("/openapi.json") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert await answer.json() == document()


async def test_the_page_is_made_of_own_files(http: aiohttp.ClientSession) -> None:
    """The page has no inline script, and every address in it is the gateway's own."""
    async with http.get("/docs") as answer:
        assert answer.status == 200
        policy, html = answer.headers["Content-Security-Policy"], await answer.text()
    directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["connect-src"] == "'self'"
    assert "<script>" not in html
    assert re.findall(r'(?:src|href)="([^"]*)"', html) == ["data:,", "/docs/docs.css", "/docs/docs.js", "/openapi.json"]


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_its_files_are_served(http: aiohttp.ClientSession, encoding: str) -> None:
    """They are compressed for whoever accepts that. Chunks, whose names change with their content, are cached."""
    headers = {"Accept-Encoding": encoding}
    async with http.get("/docs/docs.js", headers=headers) as script:
        assert (script.status, script.content_type) == (200, "text/javascript")
        assert script.headers.get("Content-Encoding", "identity") == encoding
        assert script.headers["Cache-Control"] == "no-cache"
        assert "createApiReference" in await script.text()
    chunk = next((VIEWER / "chunks").glob("*.js"))
    async with http.get(f"/docs/viewer/chunks/{chunk.name}", headers=headers) as served:
        assert await served.read() == chunk.read_bytes()
        assert served.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("name", ["no.js", "../page.js", "viewer/chunks/../../../page.js", "viewer/standalone.js"])
async def test_no_other_file_is_served(http: aiohttp.ClientSession, name: str) -> None:
    """Neither one that is not the page's, nor one by a path that leads elsewhere."""
    async with http.get(yarl.URL(f"/docs/{name}", encoded=True)) as answer:
        assert answer.status == 404


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("br;q=1.0, GZIP;q=0.5", "gzip"),
        ("gzip ; q=0.01", "gzip"),
        ("gzip;q=0", "identity"),
        ("deflate, gzip; q=0.000, br", "identity"),
        ("gzipped", "identity"),
    ],
)
async def test_a_file_is_compressed_only_if_that_is_accepted(
    http: aiohttp.ClientSession, accepted: str, encoding: str
) -> None:
    """The quality 0 forbids gzip."""
    async with http.get("/docs/docs.js", headers={"Accept-Encoding": accepted}) as script:
        assert script.headers.get("Content-Encoding", "identity") == encoding
        assert script.headers["Vary"] == "Accept-Encoding"
        assert "createApiReference" in await script.text()


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_it_is_only_read(http: aiohttp.ClientSession, path: str) -> None:
    """Another method is 405, and told which one is right."""
    async with http.post(path) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET"
