"""Checks of Centrifugo or the local hub: its configuration file, and what the running server allows.

The server may run with another file, so it is tested: without a token, with a token of a user that does not exist,
and from a foreign origin.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import jwt

from cli.checks.finding import Finding, fail, judge, ok, warn
from services.realtime import centrifugo

_SUBJECT = "Centrifugo"
_CONFIG = "`clarion centrifugo-config` prints a safe configuration; restart Centrifugo with it."
_ME = "clarion-doctor-1"
_OTHER = "clarion-doctor-2"
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_CONNECT_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True)
class ExpectedHub:
    """The address of the server, our credentials, and the path of its configuration."""

    url: str
    api_key: str
    token_secret: str
    config_path: str


async def check(expected: ExpectedHub) -> AsyncIterator[Finding]:
    """Check the file, then the server."""
    async for finding in _file(expected.config_path):
        yield finding
    missing = [
        f"CLARION_CENTRIFUGO_{name}"
        for name, value in (
            ("URL", expected.url),
            ("API_KEY", expected.api_key),
            ("TOKEN_SECRET", expected.token_secret),
        )
        if not value
    ]
    if missing:
        yield fail(_SUBJECT, f"{', '.join(missing)} is not set", "Set it as the services have it.")
        return
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        probe = _Probe(session, expected)
        try:
            async for finding in probe.run():
                yield finding
        except _CONNECT_ERRORS as error:
            yield fail(
                _SUBJECT,
                f"cannot be reached at {expected.url}: {error or type(error).__name__}",
                "Start it, or correct CLARION_CENTRIFUGO_URL.",
            )


async def _file(path: str) -> AsyncIterator[Finding]:
    if not path:
        yield warn(_SUBJECT, "its configuration was not checked", "Set CLARION_CENTRIFUGO_CONFIG to the file's path.")
        return
    try:
        config: Mapping[str, Any] = json.loads(await asyncio.to_thread(Path(path).read_text, encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield fail(_SUBJECT, f"its configuration {path} cannot be read: {error}", _CONFIG)
        return
    faults = centrifugo.unsafe_settings(config)
    for fault in faults:
        yield fail(_SUBJECT, f"{path}: {fault}", _CONFIG)
    if config.get("admin", {}).get("enabled"):
        yield warn(
            _SUBJECT,
            f"{path}: admin.enabled is on: anybody with its password can publish to all users",
            "Set it to false, and restart Centrifugo.",
        )
    if not faults:
        yield ok(_SUBJECT, f"{path} is safe")


class _Probe:
    def __init__(self, session: aiohttp.ClientSession, expected: ExpectedHub) -> None:
        self._session = session
        self._expected = expected
        self._url = expected.url.rstrip("/")

    async def run(self) -> AsyncIterator[Finding]:
        yield await self._api_is_closed()
        yield await self._api_is_ours()
        yield await self._no_token_is_refused()
        yield await self._foreign_origin_is_refused()
        async for finding in self._channels():
            yield finding

    async def _api_is_closed(self) -> Finding:
        async with self._session.post(f"{self._url}/api/info", json={}) as reply:
            return judge(
                reply.status in (401, 403),
                _SUBJECT,
                "the HTTP API refuses calls without the key",
                f"the HTTP API answers {reply.status} without a key: anybody can publish",
                f"Set http_api.key. {_CONFIG}",
            )

    async def _api_is_ours(self) -> Finding:
        headers = {"X-API-Key": self._expected.api_key}
        async with self._session.post(f"{self._url}/api/info", json={}, headers=headers) as reply:
            body = await reply.json(content_type=None) if reply.status == 200 else {}
        nodes = (body.get("result") or {}).get("nodes") or [{}]
        return judge(
            "result" in body,
            _SUBJECT,
            f"the HTTP API accepts our key (version {nodes[0].get('version', 'unknown')})",
            f"the HTTP API answers {reply.status} to our key",
            "Set CLARION_CENTRIFUGO_API_KEY to the server's http_api.key.",
        )

    async def _no_token_is_refused(self) -> Finding:
        reply = await self._say([{"id": 1, "connect": {}}])
        return judge(
            "connect" not in reply,
            _SUBJECT,
            "a connection without a token is refused",
            "a connection without a token is accepted",
            f"Set client.insecure and client.allow_anonymous_connect_without_token to false. {_CONFIG}",
        )

    async def _foreign_origin_is_refused(self) -> Finding:
        try:
            await self._say([self._hello()], origin="https://clarion-doctor.invalid")
        except aiohttp.WSServerHandshakeError as error:
            broken = f"answers {error.status} to a page of another origin"
            return judge(error.status == 403, _SUBJECT, "foreign origins are refused", broken, _CONFIG)
        return fail(_SUBJECT, "pages of any origin can connect", f"Set client.allowed_origins. {_CONFIG}")

    async def _channels(self) -> AsyncIterator[Finding]:
        greeting = await self._say([self._hello()])
        if "connect" not in greeting:
            yield fail(
                _SUBJECT,
                "refuses our tokens",
                "Set CLARION_CENTRIFUGO_TOKEN_SECRET to the server's client.token.hmac_secret_key.",
            )
            return
        own = await self._subscribe(f"orders#{_ME}")
        yield judge(
            "subscribe" in own,
            _SUBJECT,
            "users can subscribe to their own channels",
            f"refuses a user's own channel: {own}",
            _CONFIG,
        )
        yield judge(
            (own.get("subscribe") or {}).get("recoverable"),
            _SUBJECT,
            "channels recover messages after a lost connection",
            "channels do not recover messages",
            f"Set history_size, history_ttl and force_recovery. {_CONFIG}",
        )
        for channel, whose in ((f"orders#{_OTHER}", "another user's channel"), ("orders", "a channel without a user")):
            reply = await self._subscribe(channel)
            yield judge("error" in reply, _SUBJECT, f"{whose} is refused", f"{whose} is open: {channel}", _CONFIG)

    async def _subscribe(self, channel: str) -> dict[str, Any]:
        return await self._say([self._hello(), {"id": 2, "subscribe": {"channel": channel}}])

    def _hello(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {"sub": _ME, "iat": now, "exp": now + 60}
        token = jwt.encode(claims, self._expected.token_secret, algorithm="HS256")
        return {"id": 1, "connect": {"token": token}}

    async def _say(self, commands: list[dict[str, Any]], origin: str | None = None) -> dict[str, Any]:
        """Send commands one by one. Return the reply to the last one, empty if the server disconnects."""
        reply: dict[str, Any] = {}
        async with self._session.ws_connect(f"{self._url}/connection/websocket", origin=origin) as socket:
            for command in commands:
                await socket.send_json(command)
                reply = await self._reply(socket, command["id"])
        return reply

    @staticmethod
    async def _reply(socket: "aiohttp.ClientWebSocketResponse", number: int) -> dict[str, Any]:
        while True:
            message = await socket.receive(timeout=3)
            if message.type is not aiohttp.WSMsgType.TEXT:
                return {}
            for line in message.data.splitlines():
                answer: dict[str, Any] = json.loads(line)
                if answer.get("id") == number:
                    return answer
