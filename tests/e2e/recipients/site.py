"""A customer's web site with <clarion-inbox>, on an origin of its own and with a strict content security policy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from playwright.async_api import Locator, Page, WebSocket, expect

from checks.client import Tenant

# How long a page may take to be connected again: the client tries after a random pause of up to twenty seconds.
BACK_MS = 60_000

_PAGE = """<!doctype html>
<html lang="en" dir="{direction}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Site</title>
<link rel="stylesheet" href="/site.css">
<script type="module" src="{gateway}/inbox/clarion-inbox.js" crossorigin integrity="{integrity}"></script>
<script type="module" src="/site.js"></script></head>
<body><header><a href="#main">Skip</a>{elements}</header>
<main id="main"><h1>Site</h1><p><button id="after">After</button></p></main></body></html>"""

_SCRIPT = """
window.seen = [];
window.broken = [];
document.addEventListener("securitypolicyviolation", (event) => window.broken.push(event.violatedDirective));
for (const name of ["clarion-message", "clarion-read", "clarion-open", "clarion-error"]) {
  document.addEventListener(name, (event) => window.seen.push([name, JSON.stringify(event.detail)]));
}
async function getToken() {
  const answer = await fetch("/session");
  if (!answer.ok) throw new Error(`the session answered ${answer.status}`);
  return answer.json();
}
for (const inbox of document.querySelectorAll("clarion-inbox")) inbox.getToken = getToken;
window.german = async () => {
  const { german } = await import("/texts.js");
  for (const inbox of document.querySelectorAll("clarion-inbox")) inbox.texts = german;
};
"""


_STYLE = """
:root { color-scheme: light dark; background: light-dark(#fff, #121212); color: light-dark(#111, #eee); }
a { color: light-dark(#0b57d0, #a8c7fa); }
"""


class Site:
    """The site. gateway: the address by which its pages reach the gateway."""

    def __init__(self, tenant: Tenant, user_id: str, gateway: str, port: int, texts: str = "") -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.gateway = gateway
        # How often a page asked for a session, and whether it gets one.
        self.sessions = 0
        self.is_closed = False
        self.direction = "ltr"
        self.elements = "<clarion-inbox theme=auto api={gateway}></clarion-inbox>"
        self._tenant = tenant
        self._user_id = user_id
        self._port = port
        self._texts = texts
        self._integrity = ""

    @asynccontextmanager
    async def served(self) -> AsyncIterator["Site"]:
        """Serve it."""
        async with aiohttp.request("GET", f"{self.gateway}/inbox/integrity.json") as answer:
            self._integrity = (await answer.json())["integrity"]
        app = web.Application()
        app.router.add_get("/", self._page)
        app.router.add_get("/session", self._session)
        app.router.add_get("/site.js", _file(_SCRIPT, "text/javascript"))
        app.router.add_get("/site.css", _file(_STYLE, "text/css"))
        app.router.add_get("/texts.js", _file(self._texts, "text/javascript"))
        app.router.add_get("/favicon.ico", _file("", "image/x-icon"))
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
            yield self
        finally:
            await runner.cleanup()

    async def _page(self, _request: web.Request) -> web.Response:
        sockets = self.gateway.replace("http", "ws", 1)
        policy = (
            f"default-src 'none'; script-src 'self' {self.gateway}; style-src 'self'; img-src 'self'; "
            f"connect-src 'self' {self.gateway} {sockets}; base-uri 'none'; form-action 'none'; "
            "require-trusted-types-for 'script'; trusted-types 'none'"
        )
        text = _PAGE.format(
            direction=self.direction,
            gateway=self.gateway,
            integrity=self._integrity,
            elements=self.elements.replace("{gateway}", self.gateway),
        )
        return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def _session(self, _request: web.Request) -> web.Response:
        self.sessions += 1
        if self.is_closed:
            return web.Response(status=503)
        token = await self._tenant.token(self._user_id)
        return web.json_response({**token, "tenant": self._tenant.id, "user": self._user_id})


class Visitor:
    """Somebody on a page of the site. faults: what the page complained of."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site
        self.sockets: list[WebSocket] = []
        self.faults: list[str] = []
        page.on("websocket", lambda socket: self.sockets.append(socket))  # noqa: PLW0108 - it marks its handlers
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    @property
    def bell(self) -> Locator:
        """The first component's bell."""
        return self.page.locator("clarion-inbox").first.locator("button.bell")

    @property
    def panel(self) -> Locator:
        """The first component's list with its heading."""
        return self.page.locator("clarion-inbox").first.get_by_role("dialog")

    @property
    def rows(self) -> Locator:
        """The notifications that are shown."""
        return self.panel.locator("li")

    async def visit(self) -> None:
        """Open the page, and wait until it is connected and has read the inbox."""
        await self.page.goto(self.site.url)
        await self.is_("connected")

    async def is_(self, state: str) -> None:
        """Wait until the component is in a state."""
        element = self.page.locator("clarion-inbox").first
        await expect(element).to_have_attribute("data-state", state, timeout=BACK_MS)

    async def has_unread(self, count: int) -> None:
        """Wait until the bell tells this number."""
        name = f"Notifications, {count:,} unread" if count else "Notifications"
        await expect(self.bell).to_have_attribute("aria-label", name, timeout=BACK_MS)

    async def bodies(self) -> list[str]:
        """Return the texts of all rows, newest first."""
        return await self.rows.locator(".body").all_text_contents()

    async def events(self, name: str) -> list[str]:
        """Return the details of the events of a name, as JSON."""
        seen: list[list[Any]] = await self.page.evaluate("window.seen")
        return [detail for one, detail in seen if one == name]


def _file(text: str, content_type: str) -> Any:
    async def serve(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type)

    return serve
