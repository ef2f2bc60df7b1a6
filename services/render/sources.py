"""Template versions by id: remembered, else from PostgreSQL, else from the configuration bucket."""

from collections import OrderedDict
from collections.abc import Collection, Mapping

import asyncpg
import msgspec
import nats.errors
import nats.js.errors
from nats.aio.client import Client

from runtime import logs, postgres
from runtime.configuration import BUCKET
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services import topology
from services.render.frames import Source
from services.render.store import TemplateStore

# Characters of all remembered versions.
_MAX_REMEMBERED = 8 * 1024 * 1024

log = logs.get(__name__)

_decode = msgspec.msgpack.Decoder(Source).decode


class CachedSources:
    """See ports.Sources. A version never changes, so what is remembered is never wrong."""

    def __init__(self, store: TemplateStore, connection: Client) -> None:
        self._store = store
        self._jetstream = connection.jetstream(timeout=2)
        self._known: OrderedDict[str, Source] = OrderedDict()
        self._size = 0

    async def find(self, version_ids: Collection[str]) -> Mapping[str, Source]:
        """Return those that exist. Raises UNAVAILABLE where neither store answers."""
        found = {id_: self._known[id_] for id_ in version_ids if id_ in self._known}
        for id_ in found:
            self._known.move_to_end(id_)
        missing = [id_ for id_ in version_ids if id_ not in found and is_uuid(id_)]
        if missing:
            fetched = await self._fetch(missing)
            for id_, source in fetched.items():
                self._remember(id_, source)
            found |= fetched
        return found

    async def _fetch(self, version_ids: list[str]) -> dict[str, Source]:
        try:
            return await self._store.sources(version_ids)
        except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
            log.warning("templates_from_configuration", error=repr(error))
        found = {}
        try:
            bucket = await self._jetstream.key_value(BUCKET)
            for id_ in version_ids:
                try:
                    entry = await bucket.get(topology.version_key(id_))
                except nats.js.errors.KeyNotFoundError:
                    continue
                found[id_] = _decode(entry.value or b"")
        except (nats.errors.Error, nats.js.errors.Error, TimeoutError) as error:
            raise ClarionError(Code.UNAVAILABLE, "Templates cannot be read just now.", retry_after=1) from error
        return found

    def _remember(self, version_id: str, source: Source) -> None:
        self._known[version_id] = source
        self._size += _size(source)
        while self._size > _MAX_REMEMBERED and len(self._known) > 1:
            _, dropped = self._known.popitem(last=False)
            self._size -= _size(dropped)


def _size(source: Source) -> int:
    return len(source.subject) + len(source.body)
