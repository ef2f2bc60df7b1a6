"""The API page of a gateway that runs while the packages for the browser are installed or replaced."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.browser import NOT_INSTALLED
from gateway.openapi import page
from gateway.openapi.routes import add_routes

_ENTRY = "/docs/viewer/standalone.esm.js"


@pytest.fixture
def viewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the viewer is looked for. It is not installed."""
    folder = tmp_path / "viewer"
    monkeypatch.setattr(page, "VIEWER", folder)
    return folder


@pytest.fixture
async def gateway(viewer: Path) -> AsyncIterator[TestClient[Any, Any]]:
    """A client of a server with the page."""
    app = web.Application()
    add_routes(app)
    async with TestClient(TestServer(app)) as client:
        yield client


def _install(viewer: Path, *, text: str, chunk: str) -> None:
    """Replace the viewer, as `make pages` does."""
    shutil.rmtree(viewer, ignore_errors=True)
    (viewer / "chunks").mkdir(parents=True)
    (viewer / "standalone.esm.js").write_text(text)
    (viewer / "chunks" / chunk).write_text(text)


async def _get(gateway: TestClient[Any, Any], path: str, encoding: str = "identity") -> tuple[int, str]:
    async with gateway.get(path, headers={"Accept-Encoding": encoding}) as reply:
        return reply.status, await reply.text()


async def test_a_viewer_that_is_installed_later_is_served(gateway: TestClient[Any, Any], viewer: Path) -> None:
    """The response says what to run, and once it was run, the running gateway serves the files."""
    status, text = await _get(gateway, _ENTRY)
    assert (status, NOT_INSTALLED in text) == (404, True)
    _install(viewer, text="new", chunk="new-1.js")
    assert await _get(gateway, _ENTRY) == (200, "new")
    assert await _get(gateway, "/docs/viewer/chunks/new-1.js") == (200, "new")


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
async def test_a_viewer_that_is_replaced_is_served(gateway: TestClient[Any, Any], viewer: Path, encoding: str) -> None:
    """The entry is the new one, although its name is the same, and chunks that are gone are 404."""
    _install(viewer, text="old", chunk="old-1.js")
    assert await _get(gateway, _ENTRY, encoding) == (200, "old")
    assert await _get(gateway, "/docs/viewer/chunks/old-1.js", encoding) == (200, "old")
    _install(viewer, text="new", chunk="new-1.js")
    assert await _get(gateway, _ENTRY, encoding) == (200, "new")
    assert await _get(gateway, "/docs/viewer/chunks/new-1.js", encoding) == (200, "new")
    status, _text = await _get(gateway, "/docs/viewer/chunks/old-1.js", encoding)
    assert status == 404


@pytest.mark.parametrize("name", [f"{'a' * 4000}.js", "viewer/chunks/a/b.js", "viewer/chunks/..js", ".js"])
async def test_names_of_no_file_are_404(gateway: TestClient[Any, Any], viewer: Path, name: str) -> None:
    """However long, and in whatever folder."""
    _install(viewer, text="new", chunk="new-1.js")
    status, _text = await _get(gateway, f"/docs/{name}")
    assert status == 404
