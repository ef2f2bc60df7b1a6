"""The console's page and files over HTTP, from a build that is replaced while the gateway runs."""

import gzip
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from yarl import URL

from gateway.connections import CONNECTIONS, Connections
from gateway.console import add_routes
from gateway.console.build import Builds
from gateway.console.reports import LOGGED_PER_MINUTE
from gateway.observing import HEADERS

Gateway = TestClient[Any, Any]

_INDEX = (
    '<!doctype html><meta property="csp-nonce" nonce="__CSP_NONCE__">'
    '<script type="module" src="/console/assets/index-{0}.js" nonce="__CSP_NONCE__"></script>'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the console is looked for. There is none."""
    return tmp_path / "dist"


@pytest.fixture
async def gateway(folder: Path) -> AsyncIterator[Gateway]:
    """A client of a server with the console. It follows no redirects, and decodes nothing."""
    app = web.Application()
    app[CONNECTIONS] = Connections()
    add_routes(app, Builds((folder.with_name("none"), folder)))
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        yield client


def _build(folder: Path, number: str) -> None:
    """Put a build there, as `make pages` does."""
    part = folder.with_name("part")
    (part / "assets").mkdir(parents=True)
    (part / ".vite").mkdir()
    (part / ".vite" / "manifest.json").write_text("{}")
    (part / "index.html").write_text(_INDEX.format(number))
    (part / "icon.svg").write_text("<svg/>")
    script = f"console.log('{number}')"
    (part / "assets" / f"index-{number}.js").write_text(script)
    (part / "assets" / f"index-{number}.js.br").write_bytes(b"br of " + script.encode())
    (part / "assets" / f"index-{number}.js.gz").write_bytes(gzip.compress(script.encode()))
    (part / "assets" / f"index-{number}.js.map").write_text("{}")
    (part / "assets" / f"index-{number}.css").write_text("a{}")
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)


async def _get(gateway: Gateway, path: str, **headers: str) -> ClientResponse:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    url = URL(path, encoded=True)
    answer: ClientResponse = await gateway.get(url, headers=names, allow_redirects=False)
    await answer.read()
    return answer


@pytest.mark.parametrize(
    "path", ["/console/", "/console/messages", "/console/templates/order.confirmed", "/console/a/b.js"]
)
async def test_the_page_answers_every_path_that_is_no_file(gateway: Gateway, folder: Path, path: str) -> None:
    """Its script knows what the path means."""
    _build(folder, "1")
    answer = await _get(gateway, path, Sec_Fetch_Dest="document")
    assert (answer.status, answer.content_type, answer.charset) == (200, "text/html", "utf-8")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "/console/assets/index-1.js" in await answer.text()


async def test_each_page_has_a_nonce_of_its_own(gateway: Gateway, folder: Path) -> None:
    """The same in its policy and in its markup, and another one the next time."""
    _build(folder, "1")
    seen = set()
    for _ in range(2):
        answer = await _get(gateway, "/console/")
        nonces = set(re.findall(r'nonce="([^"]+)"', await answer.text()))
        assert len(nonces) == 1
        seen |= nonces
        policy = answer.headers["Content-Security-Policy"]
        assert policy.count(f"'nonce-{nonces.pop()}'") == 2
        assert "unsafe" not in policy
    assert len(seen) == 2
    assert all(len(nonce) >= 22 for nonce in seen)


async def test_the_policy_allows_nothing_of_elsewhere(gateway: Gateway, folder: Path) -> None:
    """Connections go to the host that the browser asked, also by WebSocket; a forged Host adds nothing."""
    _build(folder, "1")
    directives = dict(
        part.strip().partition(" ")[::2]
        for part in (await _get(gateway, "/console/", Host="c.example:8080"))
        .headers["Content-Security-Policy"]
        .split(";")
    )
    assert directives["connect-src"] == "'self' ws://c.example:8080 wss://c.example:8080"
    expected = {"default-src": "'none'", "object-src": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'"}
    assert expected.items() <= directives.items()
    assert directives["img-src"] == "'self' data:"
    assert directives["require-trusted-types-for"] == "'script'"
    forged = await _get(gateway, "/console/", Host="a;script-src *")
    assert "script-src *" not in forged.headers.get("Content-Security-Policy", "")


async def test_hashed_files_are_kept_for_ever_and_sent_compressed(gateway: Gateway, folder: Path) -> None:
    """In the best form that the client accepts; each form has its own ETag, by which nothing is sent again."""
    _build(folder, "1")
    path = "/console/assets/index-1.js"
    tags = set()
    for accepted, coding, begins in (
        ("gzip, br", "br", b"br of"),
        ("gzip, br;q=0", "gzip", b"\x1f\x8b"),
        ("identity", "", b"console"),
        ("", "", b"console"),
    ):
        answer = await _get(gateway, path, Accept_Encoding=accepted)
        assert answer.status == 200
        assert (await answer.read()).startswith(begins)
        assert answer.headers.get("Content-Encoding", "") == coding
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert (answer.content_type, answer.charset) == ("text/javascript", "utf-8")
        tags.add(answer.headers["ETag"])
        again = await _get(gateway, path, Accept_Encoding=accepted, If_None_Match=answer.headers["ETag"])
        assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    assert len(tags) == 3


async def test_other_files_are_asked_for_again(gateway: Gateway, folder: Path) -> None:
    """Their names stay when their content changes."""
    _build(folder, "1")
    answer = await _get(gateway, "/console/icon.svg")
    assert (answer.status, answer.content_type) == (200, "image/svg+xml")
    assert answer.headers["Cache-Control"] == "no-cache"


async def test_head_is_answered_like_get_without_a_body(gateway: Gateway, folder: Path) -> None:
    """With the length of what GET would send."""
    _build(folder, "1")
    for path in ("/console/", "/console/assets/index-1.js"):
        answer = await gateway.head(path)
        assert (answer.status, await answer.read()) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 10


@pytest.mark.parametrize(
    "path",
    [
        "/console/assets/index-2.js",
        "/console/assets/",
        "/console/assets/index-1.js.map",
        "/console/assets/index-1.js.br",
        "/console/assets/..%2Findex.html",
        "/console/assets/%2e%2e/%2e%2e/secret",
        "/console/assets//etc/passwd",
        "/console/assets/index-1.js%00",
    ],
)
async def test_what_is_no_file_of_the_build_is_404(gateway: Gateway, folder: Path, path: str) -> None:
    """Never the page: a browser would take it for a script. And never a file from elsewhere."""
    (folder.parent / "secret").write_text("secret")
    _build(folder, "1")
    answer = await _get(gateway, path)
    assert (answer.status, answer.content_type) == (404, "application/json")


@pytest.mark.parametrize("path", ["/console/.vite/manifest.json", "/console/.clarion.json", "/console/..%2Fsecret"])
async def test_hidden_files_are_not_served(gateway: Gateway, folder: Path, path: str) -> None:
    """Such a path means nothing to the gateway: it is answered with the page."""
    (folder.parent / "secret").write_text("secret")
    _build(folder, "1")
    answer = await _get(gateway, path)
    assert "index-1.js" in await answer.text()


async def test_a_missing_image_is_not_the_page(gateway: Gateway, folder: Path) -> None:
    """Browsers say what they want to do with a response."""
    _build(folder, "1")
    assert (await _get(gateway, "/console/missing.png", Sec_Fetch_Dest="image")).status == 404


async def test_a_new_build_is_served_at_once_and_open_pages_go_on(gateway: Gateway, folder: Path) -> None:
    """The files of the build before are kept in memory; those of earlier ones are not."""
    for number in ("1", "2"):
        _build(folder, number)
        assert f"index-{number}.js" in await (await _get(gateway, "/console/")).text()
    assert (await _get(gateway, "/console/assets/index-1.js")).status == 200
    assert (await _get(gateway, "/console/assets/index-2.js")).status == 200
    _build(folder, "3")
    # Asked by a page that another gateway has sent.
    assert (await _get(gateway, "/console/assets/index-3.js")).status == 200
    assert (await _get(gateway, "/console/assets/index-1.js")).status == 404
    shutil.rmtree(folder)
    assert "index-3.js" in await (await _get(gateway, "/console/")).text()


async def test_without_a_build_it_says_what_is_missing(gateway: Gateway, folder: Path) -> None:
    """In plain words, and as soon as it is built it works without a restart."""
    answer = await _get(gateway, "/console/messages")
    assert (answer.status, answer.content_type) == (503, "text/html")
    assert "make pages" in await answer.text()
    assert (await _get(gateway, "/console/assets/index-1.js")).status == 404
    _build(folder, "1")
    assert (await _get(gateway, "/console/messages")).status == 200


async def test_the_root_leads_people_to_the_console(gateway: Gateway) -> None:
    """With GET and HEAD; a program that asks for JSON only is told where the API is."""
    for accept in ("text/html,application/xhtml+xml,*/*;q=0.8", "*/*"):
        answer = await _get(gateway, "/", Accept=accept)
        assert (answer.status, answer.headers["Location"]) == (302, "/console/")
    head = await gateway.head("/", allow_redirects=False)
    assert (head.status, head.headers["Location"]) == (302, "/console/")
    assert (await _get(gateway, "/console?tenant=a%26b")).headers["Location"] == "/console/?tenant=a%26b"
    answer = await _get(gateway, "/", Accept="application/json")
    assert (answer.status, (await answer.json())["message"]) == (
        404,
        "The API is below /api/v1/, and /openapi.json describes it.",
    )
    assert (await gateway.post("/")).status == 405


async def test_the_document_for_mails_has_a_policy_of_its_own(gateway: Gateway) -> None:
    """Its script only, no origin, no images of other hosts unless asked for; only the console may embed it."""
    for path, images in (("/console/frame", "data:"), ("/console/frame?images=remote", "data: https: http:")):
        answer = await _get(gateway, path)
        policy = answer.headers["Content-Security-Policy"]
        assert f"img-src {images};" in policy
        assert "default-src 'none'; script-src 'sha256-" in policy
        assert policy.endswith("frame-ancestors 'self'; sandbox allow-scripts")
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert (await _get(gateway, "/console/frame?images=*")).status == 400
    assert HEADERS["X-Frame-Options"] == "DENY"  # of everything else


def _counted(directive: str) -> float:
    return REGISTRY.get_sample_value("clarion_csp_reports_total", {"directive": directive}) or 0.0


async def test_reports_are_counted_and_some_are_logged(gateway: Gateway) -> None:
    """In both formats. What they say is text of strangers: cut, without queries, under known names only."""
    before = _counted("img-src"), _counted("other")
    old = {"csp-report": {"effective-directive": "img-src", "blocked-uri": "http://evil.example/a?secret=1"}}
    new = [{"type": "csp-violation", "body": {"effectiveDirective": "x" * 50, "blockedURL": "y" * 500}}] * 25
    with capture_logs() as logged:
        for body, kind in ((old, "application/csp-report"), *[(new, "application/reports+json")] * 3):
            answer = await gateway.post("/csp-reports", json=body, headers={"Content-Type": kind})
            assert (answer.status, await answer.read()) == (204, b"")
    assert (_counted("img-src") - before[0], _counted("other") - before[1]) == (1, 60)
    assert logged[0]["blocked"] == "http://evil.example/a"
    assert len(logged[1]["blocked"]) == 200
    assert len(logged) == LOGGED_PER_MINUTE


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"[]", "application/csp-report", 204),
        (b'{"csp-report":7}', "application/csp-report", 204),
        (b"[[],7,null,{}]", "application/reports+json", 204),
        (b"{", "application/csp-report", 400),
        (b"7", "application/csp-report", 400),
        (b"{}", "text/plain", 415),
        (b" " * 20_000, "application/csp-report", 413),
    ],
)
async def test_hostile_reports_are_answered(gateway: Gateway, body: bytes, kind: str, status: int) -> None:
    """None of them is an error of the gateway."""
    answer = await gateway.post("/csp-reports", data=body, headers={"Content-Type": kind})
    assert answer.status == status
