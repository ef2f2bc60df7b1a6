"""The APIs of others that a check's messages go to, on loopback: of a provider of text messages, and of a webhook."""

import base64
import hmac
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

_SMS, _WEBHOOK = "/version1/messaging", "/in"
# How old a message may be, seconds, so that nobody can send a captured one again later.
_RECENT_S = 300


@dataclass(frozen=True)
class Called:
    """A call of a webhook."""

    headers: Mapping[str, str]
    body: bytes

    def is_signed_with(self, secret: str) -> bool:
        """Return whether it has a signature by Standard Webhooks that this secret makes, and is recent."""
        sent_at = int(self.headers["webhook-timestamp"])
        signed = f"{self.headers['webhook-id']}.{sent_at}.".encode() + self.body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        wanted = f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"
        is_recent = abs(time.time() - sent_at) <= _RECENT_S
        return is_recent and any(
            hmac.compare_digest(one, wanted) for one in self.headers["webhook-signature"].split(" ")
        )


@dataclass
class LocalApis:
    """What arrived. texts: the forms that Africa's Talking would have got ("to", "message"), in their order."""

    port: int = 0
    texts: list[Mapping[str, str]] = field(default_factory=list)
    calls: list[Called] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where the provider's API is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def webhook_url(self) -> str:
        """Where the webhook is."""
        return self.url + _WEBHOOK

    async def take_text(self, request: web.Request) -> web.Response:
        """Answer as Africa's Talking does for a message that it takes."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.texts.append(form)
        taken = {"statusCode": 101, "number": form["to"], "status": "Success", "messageId": f"ATXid_{len(self.texts)}"}
        told = {"SMSMessageData": {"Message": "Sent to 1/1", "Recipients": [taken]}}
        return web.json_response(told, status=201)

    async def take_call(self, request: web.Request) -> web.Response:
        """Answer 200."""
        self.calls.append(Called(request.headers.copy(), await request.read()))
        return web.Response()


@asynccontextmanager
async def local_apis() -> AsyncIterator[LocalApis]:
    """Listen on loopback for the length of a block."""
    found = LocalApis()
    app = web.Application()
    app.router.add_post(_SMS, found.take_text)
    app.router.add_post(_WEBHOOK, found.take_call)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        found.port = runner.addresses[0][1]
        yield found
    finally:
        await runner.cleanup()
