"""A tenant of a test's own that sends by sandboxes; used by the tests of messages and of recipients."""

import uuid
from typing import Any

from playwright.async_api import Page

from checks.client import Client, Tenant
from tests.e2e.console.visit import Visit
from tests.waiting import eventually

MARKUP = '<img src=x onerror="alert(1)"></script><b>Ada</b> \u202egnp'
SHOWN = '<img src=x onerror="alert(1)">'


class World:
    """A tenant of the test's own, which sends e-mail, texts and pushes by sandboxes."""

    def __init__(self, client: Client, tenant: Tenant) -> None:
        self.client = client
        self.tenant = tenant

    async def must(self, method: str, path: str, body: Any = None) -> Any:
        """Return what a call of the admin API answers."""
        return await self.client.operator.must(method, path, json=body)

    async def equip(self) -> None:
        """Give it templates."""
        bodies = {
            "EMAIL": '<h1 style="position:absolute">Dear {{name}}</h1><img src="https://pictures.example/x.png">',
            "SMS": "Dear {{name}}",
            "PUSH": "Dear {{name}}",
        }
        for channel, body in bodies.items():
            template = {"tenant_id": self.tenant.id, "event_type": "note", "channel": channel, "body": body}
            await self.must(
                "POST", "/templates", {**template, "subject": "A note" * (channel != "SMS"), "activate": True}
            )

    async def send(self, user_id: str = "ada", *, channels: tuple[str, ...] = (), **payload: str) -> str:
        """Trigger an event and return its id once it is finished."""
        event: dict[str, Any] = {
            "eventType": "note",
            "payload": {"userId": user_id, "recipientEmail": "ada@example.com", "recipientPhone": "+254712345678"},
            "variables": {"name": MARKUP, "once": uuid.uuid4().hex},
        }
        event["payload"] |= payload
        if channels:
            event["channels"] = list(channels)
        event_id = await self.tenant.accept(event)
        await self.finished(event_id)
        return event_id

    async def finished(self, event_id: str) -> dict[str, Any]:
        """Return an event once it is finished and its contents are written."""

        async def is_over() -> dict[str, Any]:
            found = await self.client.operator.call("GET", f"/events/{event_id}")
            if found.status != 200 or not found.body["finished_at"]:
                return {}
            for delivery in found.body["deliveries"]:
                content = await self.must("GET", f"/deliveries/{delivery['id']}/content")
                if content["missing"] == "not_written_yet":
                    return {}
            return dict(found.body)

        event: dict[str, Any] = await eventually(is_over)
        return event


def region(page: Page, name: str) -> Any:
    """Return a part of the page by its heading."""
    return page.get_by_role("region", name=name)


async def assert_text_only(visit: Visit) -> None:
    """Fail if any markup of the data became elements of the page."""
    assert await visit.page.locator("main img, main b, main script").count() == 0
