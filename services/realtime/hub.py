"""The realtime hub's server API, by way of cent."""

import asyncio
import time
from collections.abc import Iterable
from typing import Any

import aiohttp
from cent import (
    AsyncClient,
    BatchRequest,
    CentApiResponseError,
    CentError,
    CentNetworkError,
    CentTransportError,
    CentUnauthorizedError,
    ChannelsRequest,
    DisconnectRequest,
    HistoryRemoveRequest,
    PublishRequest,
)
from cent.exceptions import CentTimeoutError  # not among the names cent shows
from prometheus_client import Histogram

from runtime import logs
from services.realtime.guard import Guard, State
from services.realtime.ports import Outcome, Published

# The hub answers within milliseconds; a hung one must not hold the workers.
DEADLINE_S = 2.0
MAX_CONNECTIONS = 64
# What an operator asks for may take longer: it concerns a whole tenant.
LIST_DEADLINE_S = 10.0
MAX_BATCH = 500

# What asking again cannot change: unknown channel, permission denied, bad request, not available.
_FINAL_CODES = frozenset({102, 103, 107, 108})

_SECONDS = Histogram(
    "clarion_realtime_publish_seconds",
    "One publication, as the hub answered it.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)

log = logs.get(__name__)


class CentrifugoHub:
    """Implements services.realtime.ports.Hub. One session, bounded connections, a deadline on everything."""

    def __init__(self, url: str, api_key: str, guard: Guard) -> None:
        self._guard = guard
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=DEADLINE_S),
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS),
        )
        self._client = AsyncClient(f"{url.rstrip('/')}/api", api_key, timeout=DEADLINE_S, session=self._session)

    async def publish(self, channel: str, data: dict[str, Any], key: str) -> Published:
        """Publish once per key; only to a hub that is known to be safe."""
        if self._guard.state is not State.SAFE:
            return Published(Outcome.AWAY, f"hub_{self._guard.state.value}", "; ".join(self._guard.faults))
        request = PublishRequest(channel=channel, data=data, idempotency_key=key)
        started = time.perf_counter()
        try:
            try:
                await self._client.publish(request)
            except CentNetworkError:
                # Most often a kept connection to a hub that was started anew; the key makes a repeat harmless.
                await self._client.publish(request)
        except CentError as error:
            return self._failed(error)
        _SECONDS.observe(time.perf_counter() - started)
        return Published(Outcome.DONE)

    async def channels(self, prefix: str) -> list[str] | None:
        """Return the channels, with a subscriber, of principals whose names begin so; None: the hub does not say."""
        try:
            found = await self._client.channels(ChannelsRequest(pattern=f"*#{prefix}*"), timeout=LIST_DEADLINE_S)
        except CentError as error:
            log.warning("channels_failed", error=str(error))
            return None
        return list(found.channels)

    async def end(self, principals: Iterable[str], channels: Iterable[str]) -> bool:
        """Close the connections of principals and forget what was published to channels; False: not all of it."""
        requests: list[Any] = [DisconnectRequest(user=name) for name in principals]
        requests += [HistoryRemoveRequest(channel=name) for name in channels]
        try:
            for start in range(0, len(requests), MAX_BATCH):
                batch = BatchRequest(requests=requests[start : start + MAX_BATCH], parallel=True)
                await self._client.batch(batch, timeout=LIST_DEADLINE_S)
        except CentError as error:
            log.warning("disconnect_failed", error=str(error))
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
        await asyncio.sleep(0)

    def _failed(self, error: CentError) -> Published:
        detail = str(error)[:500]
        match error:
            case CentApiResponseError(code=111) | CentTransportError(status_code=429):
                return Published(Outcome.BUSY, "hub_busy", detail)
            case CentApiResponseError(code=code) if code in _FINAL_CODES:
                return _refused(detail)
            case CentTransportError(status_code=400 | 413):
                return _refused(detail)
            case CentUnauthorizedError():
                log.error("hub_refuses_api_key", hint="is its http_api.key CLARION_CENTRIFUGO_API_KEY?")
                return Published(Outcome.AWAY, "hub_refuses_api_key", "The hub refuses our API key.")
        self._guard.doubt()
        reason = "hub_timeout" if isinstance(error, CentTimeoutError) else "hub_error"
        return Published(Outcome.AWAY, reason, detail)


def _refused(detail: str) -> Published:
    log.error("publication_refused", detail=detail)
    return Published(Outcome.REFUSED, "live_publication_refused", detail)
