"""Endpoints that check what they get: `python -m bench.webhooks.receiver PORT`, in a process of its own.

It listens on 127.0.0.1 at the port that its argument names. Its order, the secrets by path, comes on standard input as
one line of JSON. `POST <path>` is a webhook: the signature is verified, and id, order and time are noted. `POST /mark`
forgets them, `GET /count` tells how many there are, and `GET /seen` returns them as msgpack.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import re
import sys
import time
from typing import cast

import httptools
import msgspec
import uvloop

# The id of an event of the load, as tenants of the bench put it into the payload.
_ORDER = re.compile(rb'"orderId":\s*"([^"]+)"')
_TOLERANCE_S = 300.0


class Arrived(msgspec.Struct, frozen=True, array_like=True):
    """A webhook. at: Unix seconds. webhook_id: of its header. order: the event's id of the load."""

    path: str
    webhook_id: str
    order: str
    at: float


class Seen(msgspec.Struct, frozen=True):
    """Everything since the mark. invalid: webhooks whose signature, id or time was wrong."""

    arrived: list[Arrived]
    invalid: int


class Notes:
    """What arrived. secrets: the key of each path."""

    def __init__(self, secrets: dict[str, bytes]) -> None:
        self._secrets = secrets
        self.arrived: list[Arrived] = []
        self.invalid = 0

    def mark(self) -> None:
        """Forget what arrived before."""
        self.arrived, self.invalid = [], 0

    def webhook(self, path: str, headers: dict[bytes, bytes], body: bytes) -> None:
        """Note a webhook."""
        now = time.time()
        identifier, moment = headers.get(b"webhook-id", b""), headers.get(b"webhook-timestamp", b"")
        order = _ORDER.search(body)
        if order is None or not self._is_genuine(path, identifier, moment, headers, body, now):
            self.invalid += 1
            return
        self.arrived.append(Arrived(path, identifier.decode(), order[1].decode(), now))

    def _is_genuine(
        self, path: str, identifier: bytes, moment: bytes, headers: dict[bytes, bytes], body: bytes, now: float
    ) -> bool:
        key = self._secrets.get(path)
        if key is None or not identifier or not moment.isdigit() or abs(int(moment) - now) > _TOLERANCE_S:
            return False
        wanted = hmac.digest(key, b".".join((identifier, moment, body)), hashlib.sha256)
        for one in headers.get(b"webhook-signature", b"").split():
            try:
                given = base64.b64decode(one.removeprefix(b"v1,"), validate=True)
            except binascii.Error:
                continue
            if hmac.compare_digest(given, wanted):
                return True
        return False


class Endpoint(asyncio.Protocol):
    """One connection of a caller."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._path = ""
        self._headers: dict[bytes, bytes] = {}
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            cast("asyncio.Transport", self._transport).abort()

    def on_message_begin(self) -> None:
        """See httptools."""
        self._headers, self._body, self._path = {}, b"", ""

    def on_url(self, url: bytes) -> None:
        """See httptools."""
        self._path += url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        self._body += body

    def on_message_complete(self) -> None:
        """See httptools."""
        answer, notes = b"", self._notes
        match self._path:
            case "/count":
                answer = str(len(notes.arrived)).encode()
            case "/seen":
                answer = msgspec.msgpack.encode(Seen(notes.arrived, notes.invalid))
            case "/mark":
                notes.mark()
            case path:
                notes.webhook(path, self._headers, self._body)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer)
        cast("asyncio.Transport", self._transport).write(head + answer)


async def _main() -> None:
    order: dict[str, str] = json.loads(sys.stdin.readline())
    notes = Notes({path: base64.b64decode(secret.removeprefix("whsec_")) for path, secret in order.items()})
    port = int(sys.argv[1])
    server = await asyncio.get_running_loop().create_server(lambda: Endpoint(notes), "127.0.0.1", port)
    print("listening", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main())
