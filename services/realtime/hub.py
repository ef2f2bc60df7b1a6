"""Calls the realtime hub's server API, with the library cent."""

import asyncio
import http
import time
import urllib.parse
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
import msgspec
from cent import (
    AsyncClient,
    CentApiResponseError,
    CentError,
    CentNetworkError,
    CentTransportError,
    CentUnauthorizedError,
    ChannelsRequest,
    PublishRequest,
)
from cent.exceptions import CentTimeoutError  # cent does not export it at the top level
from prometheus_client import Histogram

from runtime import logs, tracing
from services.domain.reasons import Reason
from services.realtime.guard import HubGuard, HubState
from services.realtime.ports import PublishOutcome, PublishResult

# Seconds. The hub answers within milliseconds; if it hangs, it must not hold up the workers.
DEADLINE_S = 2.0
MAX_CONNECTIONS = 64
# Seconds, for an operator's calls, which concern a whole tenant.
LIST_DEADLINE_S = 10.0
MAX_BATCH = 500

# Errors that a retry cannot change: unknown channel, permission denied, bad request, not available.
_FINAL_CODES = frozenset({102, 103, 107, 108})
# Answers to history_remove that mean there is no history to delete: unknown channel, not available.
_NOTHING_THERE = frozenset({102, 108})

_SECONDS = Histogram(
    "clarion_realtime_publish_seconds",
    "Seconds until the hub answered a publication.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)

log = logs.get(__name__)

_Command = tuple[str, dict[str, str]]


class _Error(msgspec.Struct):
    code: int
    message: str = ""


class _Reply(msgspec.Struct):
    """The answer to one command or to a whole batch. replies: those of a batch."""

    error: _Error | None = None
    replies: list["_Reply"] = []


_decode_reply = msgspec.json.Decoder(_Reply).decode


class CentrifugoHub:
    """Implements services.realtime.ports.Hub with one HTTP session, at most MAX_CONNECTIONS and a deadline per call."""

    def __init__(self, url: str, api_key: str, guard: HubGuard) -> None:
        self._guard = guard
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=DEADLINE_S),
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
        )
        place = urllib.parse.urlsplit(url)
        self._host, self._port = place.hostname or "", place.port
        self._api_url = f"{url.rstrip('/')}/api"
        self._api_key = api_key
        self._client = AsyncClient(self._api_url, api_key, timeout=DEADLINE_S, session=self._session)

    async def publish(self, channel: str, data: dict[str, Any], key: str) -> PublishResult:
        """Publish once per key, and only while the hub is known to be safe. Errors are in the result."""
        if self._guard.state is not HubState.SAFE:
            return PublishResult(PublishOutcome.AWAY, f"hub_{self._guard.state.value}", "; ".join(self._guard.faults))
        request = PublishRequest(channel=channel, data=data, idempotency_key=key)
        started = time.perf_counter()
        try:
            with tracing.web_client("POST", self._host, self._port):
                try:
                    await self._client.publish(request)
                except CentNetworkError:
                    # Usually a kept connection to a hub that has restarted. The key makes the repeat harmless.
                    await self._client.publish(request)
        except CentError as error:
            return self._failed(error)
        _SECONDS.observe(time.perf_counter() - started)
        return PublishResult(PublishOutcome.DONE)

    async def channels(self, prefix: str) -> list[str] | None:
        """Return the channels with subscribers whose principal starts with prefix; None if the hub did not answer."""
        try:
            found = await self._client.channels(ChannelsRequest(pattern=f"*#{prefix}*"), timeout=LIST_DEADLINE_S)
        except CentError as error:
            log.warning("channels_failed", error=str(error))
            return None
        return list(found.channels)

    async def end(self, principals: Iterable[str], channels: Iterable[str]) -> bool:
        """Disconnect these principals and delete the history of these channels; return whether all of it succeeded."""
        commands: list[_Command] = [("disconnect", {"user": name}) for name in principals]
        commands += [("history_remove", {"channel": name}) for name in channels]
        faults: list[str] = []
        try:
            for start in range(0, len(commands), MAX_BATCH):
                faults += await self._carry_out(commands[start : start + MAX_BATCH])
        except (aiohttp.ClientError, TimeoutError) as error:  # the hub is away: the other batches would fail too
            faults.append(repr(error))
        if faults:
            log.warning("disconnect_failed", faults=len(faults), error=faults[0])
        return not faults

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
        await asyncio.sleep(0)

    async def _carry_out(self, commands: Sequence[_Command]) -> list[str]:
        """Send a batch and return its errors. Raises aiohttp.ClientError or TimeoutError if the hub does not answer.

        This does not use cent 5.2, which raises KeyError if one reply of a batch is an error, and loses the others.
        """
        body = {"commands": [{method: parameters} for method, parameters in commands], "parallel": True}
        async with self._session.post(
            f"{self._api_url}/batch",
            json=body,
            headers={"X-API-Key": self._api_key},
            timeout=aiohttp.ClientTimeout(total=LIST_DEADLINE_S),
        ) as answer:
            content = await answer.read()
        if answer.status != http.HTTPStatus.OK:
            return [f"status {answer.status}"]
        try:
            reply = _decode_reply(content)
        except msgspec.DecodeError as error:
            return [f"unreadable answer: {error}"]
        if reply.error is not None:
            return [f"{reply.error.code} {reply.error.message}"]
        if len(reply.replies) != len(commands):
            return [f"{len(reply.replies)} replies to {len(commands)} commands"]
        return _faults(commands, reply.replies)

    def _failed(self, error: CentError) -> PublishResult:
        detail = str(error)[:500]
        match error:
            case CentApiResponseError(code=111) | CentTransportError(status_code=429):
                return PublishResult(PublishOutcome.BUSY, Reason.HUB_BUSY, detail)
            case CentApiResponseError(code=code) if code in _FINAL_CODES:
                return _refused(detail)
            case CentTransportError(status_code=400 | 413):
                return _refused(detail)
            case CentUnauthorizedError():
                log.error("hub_refuses_api_key", hint="is its http_api.key CLARION_CENTRIFUGO_API_KEY?")
                return PublishResult(PublishOutcome.AWAY, "hub_refuses_api_key", "The hub refuses our API key.")
        self._guard.doubt()
        reason = "hub_timeout" if isinstance(error, CentTimeoutError) else "hub_error"
        return PublishResult(PublishOutcome.AWAY, reason, detail)


def _faults(commands: Sequence[_Command], replies: Sequence[_Reply]) -> list[str]:
    return [
        f"{method}: {error.code} {error.message}"
        for (method, _), reply in zip(commands, replies, strict=True)
        if (error := reply.error) is not None and not (method == "history_remove" and error.code in _NOTHING_THERE)
    ]


def _refused(detail: str) -> PublishResult:
    log.error("publication_refused", detail=detail)
    return PublishResult(PublishOutcome.REFUSED, Reason.LIVE_PUBLICATION_REFUSED, detail)
