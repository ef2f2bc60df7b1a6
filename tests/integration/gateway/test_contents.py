"""What was sent, as an operator reads it: by channel, with the reason where there is none, and never a credential."""

import asyncio
import email
import email.policy
import json
import shlex
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from runtime.ids import new_id
from stack.client import Running
from tests.conftest import free_port
from tests.integration.gateway.conftest import CreateTenant, Tenant
from tests.waiting import eventually

BASE = "/api/v1/admin"
# Markup that a screen must show as text.
_NAME = 'Ada <img src=x onerror="alert(1)"> \u202e </script>'


class _Desk:
    """An operator's calls for one tenant."""

    def __init__(self, http: aiohttp.ClientSession, headers: dict[str, str], tenant: Tenant) -> None:
        self._http = http
        self._headers = headers
        self.tenant = tenant

    async def get(self, path: str, expected: int = 200) -> Any:
        """Return the body of a GET."""
        async with self._http.get(BASE + path, headers=self._headers) as answer:
            assert answer.status == expected, await answer.text()
            return await answer.json(content_type=None)

    async def send(self, method: str, path: str, body: Any) -> Any:
        """Return the body of a call that changes something."""
        async with self._http.request(method, BASE + path, headers=self._headers, json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json(content_type=None)

    async def file(self, delivery_id: str) -> tuple[bytes, Any]:
        """Return an e-mail as a file, and the headers of the response."""
        async with self._http.get(f"{BASE}/deliveries/{delivery_id}/content.eml", headers=self._headers) as answer:
            return await answer.read(), answer.headers

    async def trigger(self, **payload: str) -> str:
        """Trigger an event, and return its id."""
        body = {"eventType": "note", "payload": {"userId": "u1", **payload}, "variables": {"name": _NAME}}
        async with self._http.post("/api/v1/events/trigger", json=body, headers=self.tenant.headers) as answer:
            assert answer.status == 200, await answer.text()
            return answer.headers["X-Event-Id"]

    async def finished(self, event_id: str) -> dict[str, dict[str, Any]]:
        """Return the deliveries of an event that is finished, by channel."""

        async def look() -> dict[str, Any]:
            async with self._http.get(f"{BASE}/events/{event_id}", headers=self._headers) as answer:
                found = await answer.json(content_type=None)
            return found if answer.status == 200 and found["finished_at"] else {}

        event: dict[str, Any] = await eventually(look)
        return {one["channel"]: one for one in event["deliveries"]}

    async def content(self, delivery_id: str, query: str = "") -> dict[str, Any]:
        """Return the content of a delivery once it is written, or why there is none."""

        async def look() -> dict[str, Any]:
            found: dict[str, Any] = await self.get(f"/deliveries/{delivery_id}/content{query}")
            return {} if found["missing"] == "not_written_yet" else found

        found: dict[str, Any] = await eventually(look)
        return found


@pytest.fixture
async def desk(http: aiohttp.ClientSession, admin: dict[str, str], create_tenant: CreateTenant) -> _Desk:
    """A tenant that sends on every channel for people by its sandboxes."""
    tenant = await create_tenant("Acorn", sender_name="Acorn", sender_email="hello@acorn.example")
    desk = _Desk(http, admin, tenant)
    for channel in ("EMAIL", "SMS", "PUSH"):
        if channel != "PUSH":
            await desk.send("POST", "/providers", {"tenant_id": tenant.id, "channel": channel, "kind": "sandbox"})
        template = {"tenant_id": tenant.id, "event_type": "note", "channel": channel, "activate": True}
        body = '<div style="position:absolute">Hi {{name}}</div>' if channel == "EMAIL" else "Hi {{name}}"
        await desk.send("POST", "/templates", {**template, "body": body, "subject": "Note" * (channel != "SMS")})
    return desk


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """An endpoint on this machine, and the calls that it got."""
    calls: list[tuple[dict[str, str], bytes]] = []

    async def receive(request: web.Request) -> web.Response:
        calls.append((dict(request.headers), await request.read()))
        return web.Response(text="thanks")

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/hook", calls
    await runner.cleanup()


async def test_each_channel_shows_what_it_sent(desk: _Desk) -> None:
    """With the names of the recipient as text, whatever they hold."""
    event_id = await desk.trigger(recipientEmail="ada@example.com", recipientPhone="+254712345678")
    deliveries = await desk.finished(event_id)
    mail = await desk.content(deliveries["EMAIL"]["id"])
    assert (mail["stored"], mail["from"], mail["to"]) == (True, "Acorn <hello@acorn.example>", "ada@example.com")
    assert (mail["subject"], mail["is_composed"], mail["attempt"]) == ("Note", True, 1)
    assert "<img" not in mail["html"]
    assert "&lt;img" in mail["html"]
    assert [note["rule"] for note in mail["support"]] == ["css_position"]
    assert [part["content_type"] for part in mail["parts"]] == ["text/plain", "text/html"]
    sms = await desk.content(deliveries["SMS"]["id"])
    assert (sms["text"], sms["to"]) == (f"Hi {_NAME}", "+254712345678")
    assert sms["sms"]["encoding"] == "UCS-2"
    push = await desk.content(deliveries["PUSH"]["id"])
    assert (push["push"]["title"], push["push"]["body"]) == ("Note", f"Hi {_NAME}")
    assert push["push"]["data"]["referenceId"] == deliveries["PUSH"]["id"]
    inbox = await desk.get(f"/tenants/{desk.tenant.id}/recipients/u1/inbox")
    assert ([one["body"] for one in inbox["data"]], inbox["unread"]) == ([f"Hi {_NAME}"], 1)


async def test_a_mail_can_be_downloaded_and_runs_nothing(desk: _Desk) -> None:
    """Any mail program opens the file; a browser only stores it."""
    deliveries = await desk.finished(await desk.trigger(recipientEmail="ada@example.com"))
    await desk.content(deliveries["EMAIL"]["id"])
    raw, headers = await desk.file(deliveries["EMAIL"]["id"])
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert (message["To"], message["Subject"]) == ("ada@example.com", "Note")
    assert headers["Content-Disposition"].startswith("attachment;")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox allow-downloads; default-src 'none'"
    skipped = deliveries["SMS"]["id"]
    await desk.get(f"/deliveries/{skipped}/content.eml", expected=404)


async def test_why_there_is_no_content(desk: _Desk) -> None:
    """Nothing was sent; the tenant stores none; the recipient was erased; there is no such attempt or delivery."""
    deliveries = await desk.finished(await desk.trigger(recipientEmail="ada@example.com"))
    skipped = await desk.content(deliveries["SMS"]["id"])
    assert (skipped["stored"], skipped["missing"]) == (False, "not_sent")
    assert (await desk.content(deliveries["EMAIL"]["id"], "?attempt=7"))["missing"] == "not_sent"
    assert (await desk.content(deliveries["EMAIL"]["id"], "?attempt=1&replay=0"))["stored"]
    await desk.get(f"/deliveries/{deliveries['EMAIL']['id']}/content?replay=1", expected=422)
    await desk.get(f"/deliveries/{new_id()}/content", expected=404)
    erased = await desk.send("POST", f"/tenants/{desk.tenant.id}/recipients/erase", {"user_id": "u1"})
    assert erased["erased"]["contents"] == 1
    for channel in ("EMAIL", "PUSH"):
        assert (await desk.content(deliveries[channel]["id"]))["missing"] == "erased"

    policy = await desk.send("PUT", f"/tenants/{desk.tenant.id}/retention", {"keep_content": False})
    assert policy["keep_content"] is False

    async def is_off() -> bool:
        # The same event again would be a duplicate.
        later = await desk.finished(await desk.trigger(recipientEmail="ada@example.com", copy=new_id()))
        return bool((await desk.content(later["EMAIL"]["id"]))["missing"] == "tenant_keeps_none")

    await eventually(is_off)


async def test_an_export_has_what_was_sent(desk: _Desk) -> None:
    """With each event."""
    deliveries = await desk.finished(await desk.trigger(recipientPhone="+254712345678"))
    await desk.content(deliveries["SMS"]["id"])
    exported = await desk.send("POST", f"/tenants/{desk.tenant.id}/recipients/export", {"user_id": "u1"})
    (event,) = exported["events"]
    assert [(one["channel"], one["text"]) for one in event["contents"]] == [("SMS", f"Hi {_NAME}")]


async def test_a_webhook_shows_its_call_without_secrets(
    desk: _Desk, receiver: tuple[str, list[tuple[dict[str, str], bytes]]]
) -> None:
    """The headers as they were sent, but for the endpoint's own ones and the signature, and the body."""
    url, calls = receiver
    base = f"/tenants/{desk.tenant.id}"
    endpoint = await desk.send("POST", f"{base}/endpoints", {"url": url, "headers": {"X-Secret": "open sesame"}})
    sent = await desk.send("POST", f"{base}/endpoints/{endpoint['id']}/test", {"payload": {"note": _NAME}})
    await desk.finished(sent["event_id"])
    content = await desk.content(sent["delivery_id"])
    ((headers, body),) = calls
    shown = {one["name"].lower(): one["value"] for one in content["webhook"]["headers"]}
    expected = {name.lower(): value for name, value in headers.items()}
    assert shown == {**expected, "x-secret": "***", "webhook-signature": "***"}
    assert content["webhook"]["body"] == body.decode()
    assert json.loads(body) == {"note": _NAME}
    assert "open sesame" not in json.dumps(content)
    timeline = (await desk.get(f"/deliveries/{sent['delivery_id']}"))["timeline"]
    assert [step["http"]["status"] for step in timeline if step["http"]] == [200]


async def test_an_event_can_be_sent_once_more_by_the_shown_command(desk: _Desk, local_stack: Running) -> None:
    """A shell runs it with a real key, and each run is a new event with the same body."""
    event_id = await desk.trigger(recipientEmail="ada@example.com", note="it's")
    await desk.finished(event_id)
    body = await desk.get(f"/events/{event_id}/body")
    assert (body["variables"], body["payload"]) == ({"name": _NAME}, {"note": "it's"})
    command = body["request"]["curl"].replace("YOUR_API_KEY", desk.tenant.key)
    assert shlex.split(command)[0] == "curl"
    copies = [await _event_of(command, local_stack.url) for _ in range(2)]
    assert len({event_id, *copies}) == 3
    for copy_id in copies:
        await desk.finished(copy_id)
        copied = await desk.get(f"/events/{copy_id}/body")
        assert (copied["variables"], copied["payload"]) == (body["variables"], body["payload"])


async def _event_of(command: str, url: str) -> str:
    """Run a command with curl in a plain shell; return the id of the event that it made."""
    ran = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        command + " -sS -o /dev/null -D -",
        env={"CLARION_URL": url, "PATH": "/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        said, _ = await ran.communicate()
    return next(line.split(": ")[1] for line in said.decode().splitlines() if line.startswith("X-Event-Id"))


async def test_reasons_have_texts(desk: _Desk) -> None:
    """And each says what to do."""
    reasons = {one["reason"]: one for one in (await desk.get("/reasons"))["data"]}
    assert reasons["missing_phone"]["responsible"] == "tenant"
    assert all(one["text"] and one["advice"] for one in reasons.values())
