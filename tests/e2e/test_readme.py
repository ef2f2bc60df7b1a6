"""README.md's first notification, as it stands."""

import asyncio
import json

from checks.client import Client
from checks.waiting import until
from stack.client import Running
from tests import documentation


async def test_the_first_notification(client: Client, shared_stack: Running) -> None:
    """The answer is success, and the demo user has an e-mail and a notification in the inbox."""
    lines = documentation.block(documentation.section("README.md", "The first notification"), "sh", "curl")
    done = await asyncio.to_thread(documentation.shell, lines, shared_stack)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["success"] is True

    async def shown() -> bool:
        inbox = (await client.tenant.inbox(client.user_id)).body["data"]
        answer = await client.http.call("GET", "/demo/outbox.json")
        return "Welcome" in {one["title"] for one in inbox} and "Welcome" in {
            one["subject"] for one in answer.body["messages"]
        }

    await until(shown, "the notification and the mail", deadline=30)
