"""Reads template versions from memory, from PostgreSQL, or (without PostgreSQL) from the configuration bucket."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from runtime import logs
from runtime.bucket_keys import BUCKET
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.render.frames import TemplateSource

_CACHE_BYTES = 8 * 1024 * 1024
_OVERHEAD = 500
# Seconds for which PostgreSQL is not asked again after it failed.
_PAUSE_S = 1.0
_STORE_DEADLINE_S = 1.5
_BUCKET_DEADLINE_S = 2.0

log = logs.get(__name__)

_decode = msgspec.json.Decoder(TemplateSource).decode


class VersionStore(Protocol):
    """Reads template versions from PostgreSQL."""

    async def sources(self, version_ids: Collection[str]) -> Mapping[str, TemplateSource]:
        """Return those that exist. Raises UNAVAILABLE."""


class CachedTemplateSources:
    """Keeps what it read: versions never change."""

    def __init__(self, store: VersionStore, connection: Client) -> None:
        self._store = store
        self._jetstream = connection.jetstream(timeout=_BUCKET_DEADLINE_S)
        self._cache: OrderedDict[str, TemplateSource] = OrderedDict()
        self._held = 0
        self._pause_until = 0.0

    async def find(self, version_ids: Collection[str]) -> Mapping[str, TemplateSource]:
        """Return those of the versions that exist. Raises UNAVAILABLE if neither store has the answer."""
        found: dict[str, TemplateSource] = {}
        missing = []
        for version_id in version_ids:
            source = self._cache.get(version_id)
            if source is None:
                missing.append(version_id)
            else:
                self._cache.move_to_end(version_id)
                found[version_id] = source
        if missing:
            for version_id, source in (await self._ask(missing)).items():
                self._keep(version_id, source)
                found[version_id] = source
        return found

    async def _ask(self, version_ids: Collection[str]) -> Mapping[str, TemplateSource]:
        if time.monotonic() >= self._pause_until:
            try:
                async with asyncio.timeout(_STORE_DEADLINE_S):
                    return await self._store.sources(version_ids)
            except (ClarionError, TimeoutError) as error:
                self._pause_until = time.monotonic() + _PAUSE_S
                log.warning("versions_from_bucket", error=str(error))
        try:
            return await self._published(version_ids)
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            # Also for a missing key: only PostgreSQL can tell that a version does not exist.
            raise ClarionError(
                Code.UNAVAILABLE, "Templates cannot be read at the moment. Try again in a second.", retry_after=1
            ) from error

    async def _published(self, version_ids: Collection[str]) -> Mapping[str, TemplateSource]:
        bucket = await self._jetstream.key_value(BUCKET)
        found = {}
        for version_id in version_ids:
            entry = await bucket.get(topology.version_key(version_id))
            found[version_id] = _decode(entry.value or b"")
        return found

    def _keep(self, version_id: str, source: TemplateSource) -> None:
        if version_id not in self._cache:
            self._held += _size(source)
        self._cache[version_id] = source
        while self._held > _CACHE_BYTES and len(self._cache) > 1:
            self._held -= _size(self._cache.popitem(last=False)[1])


def _size(source: TemplateSource) -> int:
    return source.size + _OVERHEAD
