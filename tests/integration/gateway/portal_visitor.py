"""A browser without scripts for the portal: it keeps cookies and sends forms."""

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import aiohttp

from tests.integration.gateway.webhook_world import World

_URL = "https://example.com/hooks"


class Page(HTMLParser):
    """What a page is made of: its tags with their attributes, its text, its forms with their fields."""

    def __init__(self, status: int, headers: Mapping[str, str], source: str) -> None:
        super().__init__()
        self.status, self.headers, self.source = status, headers, source
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.forms: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] = {}
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        known = {name: value or "" for name, value in attrs}
        self.tags.append((tag, known))
        if tag == "form":
            self._form = self.forms[known["action"]] = {}
        elif tag == "input" and known.get("type") != "checkbox":
            self._form[known["name"]] = known.get("value", "")

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


class Visitor:
    """A browser without scripts: it follows no redirect by itself."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cookie = ""
        self.set_cookie = ""

    async def get(self, path: str, **headers: str) -> Page:
        """Return a page."""
        return await self._send("GET", path, None, headers)

    async def post(self, path: str, fields: Mapping[str, Any], **headers: str) -> Page:
        """Send a form."""
        return await self._send("POST", path, fields, headers)

    async def press(self, page: Page, action: str, **typed: Any) -> Page:
        """Send the form on a page that goes to a path, with what was typed into it."""
        return await self.post(action, {**page.forms[action], **typed})

    async def _send(self, method: str, path: str, fields: Any, headers: Mapping[str, str]) -> Page:
        cookie = {"Cookie": self.cookie} if self.cookie else {}
        data = (
            aiohttp.FormData([(k, v) for k, vs in fields.items() for v in (vs if isinstance(vs, list) else [vs])])
            if fields is not None
            else None
        )
        async with self.world.http.request(
            method, path, data=data, headers={**cookie, **headers}, allow_redirects=False
        ) as answer:
            self.set_cookie = answer.headers.get("Set-Cookie", "")
            if self.set_cookie:
                self.cookie = self.set_cookie.partition(";")[0]
            return Page(answer.status, answer.headers, await answer.text())


async def link(world: World, application_id: str, **fields: Any) -> str:
    """Return the code of a new link. fields: of the call that creates it."""
    path = f"/tenants/{world.tenant}/applications/{application_id}/portal"
    status, made = await world.admin("POST", path, fields)
    assert status == 201, made
    assert made["url"] == f"{world.url}/portal/open/{made['code']}"
    code: str = made["code"]
    return code


async def visit(world: World, application_id: str, **fields: Any) -> Visitor:
    """Return a visitor who has opened a new link."""
    visitor = Visitor(world)
    code = await link(world, application_id, **fields)
    opened = await visitor.press(await visitor.get(f"/portal/open/{code}"), "/portal/open")
    assert (opened.status, opened.headers["Location"]) == (303, "/portal"), opened.source
    return visitor


async def endpoint_of(world: World, application_id: str, **fields: Any) -> str:
    """Return the id of a new endpoint. application_id: empty: of none."""
    body = {"url": _URL, "application_id": application_id, **fields}
    status, made = await world.admin("POST", f"/tenants/{world.tenant}/endpoints", body)
    assert status == 201, made
    endpoint_id: str = made["id"]
    return endpoint_id
