"""The providers' APIs, played by a server of ours: takes what is sent, and calls back as they do."""

import base64
import hashlib
import hmac
import json
import time
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from checks.client import Client, Tenant
from runtime.ids import new_id
from tests.e2e.conftest import PROVIDER_PORT

_FORM = "application/x-www-form-urlencoded"
_KEY = ec.generate_private_key(ec.SECP256R1())

RESEND = {"api_key": "re_123456789", "webhook_secret": "whsec_" + base64.b64encode(b"k" * 24).decode()}
SENDGRID = {
    "api_key": "SG.123456789",
    "webhook_public_key": base64.b64encode(
        _KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode(),
}
TWILIO = {"account_sid": "AC" + "0" * 32, "auth_token": "f" * 32, "sender": "+15005550006"}
AFRICASTALKING = {"username": "sandbox", "api_key": "atsk_123456789"}


@dataclass
class Apis:
    """What arrived: (kind, message id, body), the body decoded."""

    taken: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def app(self) -> web.Application:
        """The server's application."""
        app = web.Application()
        app.router.add_post("/emails", self._resend)
        app.router.add_post("/v3/mail/send", self._sendgrid)
        app.router.add_post("/2010-04-01/Accounts/{account}/Messages.json", self._twilio)
        app.router.add_post("/version1/messaging", self._africastalking)
        return app

    def ids(self, kind: str) -> list[str]:
        """Return the ids that a provider gave, in order."""
        return [message_id for of, message_id, _ in self.taken if of == kind]

    def _take(self, kind: str, body: dict[str, Any]) -> str:
        message_id = new_id()
        self.taken.append((kind, message_id, body))
        return message_id

    async def _resend(self, request: web.Request) -> web.Response:
        return web.json_response({"id": self._take("resend", await request.json())})

    async def _sendgrid(self, request: web.Request) -> web.Response:
        return web.Response(status=202, headers={"X-Message-Id": self._take("sendgrid", await request.json())})

    async def _twilio(self, request: web.Request) -> web.Response:
        return web.json_response({"sid": self._take("twilio", dict(await request.post()))}, status=201)

    async def _africastalking(self, request: web.Request) -> web.Response:
        message_id = self._take("africastalking", dict(await request.post()))
        recipient = {"statusCode": 101, "number": "+254712345678", "status": "Success", "messageId": message_id}
        return web.json_response({"SMSMessageData": {"Message": "Sent", "Recipients": [recipient]}}, status=201)


@asynccontextmanager
async def serving() -> AsyncIterator[Apis]:
    """Serve all of them where the shared stack looks for them."""
    apis = Apis()
    runner = web.AppRunner(apis.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", PROVIDER_PORT).start()
    try:
        yield apis
    finally:
        await runner.cleanup()


async def callback_path(client: Client, tenant: Tenant) -> str:
    """Return the path of the callbacks of a tenant's only provider."""
    [provider] = (await client.operator.must("GET", f"/providers?tenant_id={tenant.id}"))["data"]
    callback = await client.operator.must("GET", f"/providers/{provider['id']}/callback")
    assert callback["ready"]
    return str(urllib.parse.urlsplit(callback["url"]).path)


async def resend_says(client: Client, path: str, kind: str, message_id: str, **data: Any) -> int:
    """Call back as Resend does; return the answer's status."""
    body = json.dumps({"type": kind, "created_at": _now(), "data": {"email_id": message_id, **data}}).encode()
    svix_id, timestamp = f"msg_{new_id()}", str(int(time.time()))
    secret = base64.b64decode(RESEND["webhook_secret"].removeprefix("whsec_"))
    signature = hmac.digest(secret, f"{svix_id}.{timestamp}.".encode() + body, hashlib.sha256)
    headers = {
        "svix-id": svix_id,
        "svix-timestamp": timestamp,
        "svix-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
    return (await client.http.call("POST", path, headers=headers, data=body)).status


async def sendgrid_says(client: Client, path: str, *events: dict[str, Any]) -> int:
    """Call back as SendGrid does."""
    known = [{"timestamp": int(time.time()), "sg_event_id": new_id(), **event} for event in events]
    body, timestamp = json.dumps(known).encode(), str(int(time.time()))
    signature = _KEY.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    }
    return (await client.http.call("POST", path, headers=headers, data=body)).status


async def twilio_says(client: Client, path: str, *, base: str = "", **fields: str) -> int:
    """Call back as Twilio does. base: scheme and host of the address that it signs; empty: those that it calls."""
    signed = (base or client.http.url) + path + "".join(name + fields[name] for name in sorted(fields))
    signature = hmac.digest(TWILIO["auth_token"].encode(), signed.encode(), hashlib.sha1)
    headers = {"Content-Type": _FORM, "X-Twilio-Signature": base64.b64encode(signature).decode()}
    return (await client.http.call("POST", path, headers=headers, data=urllib.parse.urlencode(fields).encode())).status


async def africastalking_says(client: Client, path: str, **fields: str) -> int:
    """Call back as Africa's Talking does."""
    body = urllib.parse.urlencode(fields).encode()
    return (await client.http.call("POST", path, headers={"Content-Type": _FORM}, data=body)).status


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
