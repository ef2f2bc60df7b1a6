"""What the versions of workflows say. A version never changes, so its document is read once."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime import logs, postgres
from runtime.errors import ClarionError
from services.router.workflows.document import Document, parse
from services.router.workflows.versions import StoredVersion, VersionKey

# Documents that are kept in memory, each of at most 64 KiB of JSON; the oldest give way.
_MAX_KEPT = 500

_SQL = postgres.Queries(Path(__file__).with_name("documents.sql"))

log = logs.get(__name__)


class Documents:
    """Reads versions, all that are asked for in one query."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._kept: dict[VersionKey, Document] = {}

    async def get(self, wanted: Collection[VersionKey]) -> Mapping[VersionKey, StoredVersion]:
        """Return the versions by what was asked for, without those of deleted workflows. Raises UNAVAILABLE.

        Old versions are not kept for ever (see store.py). In place of one that is gone comes the next one that is kept.
        """
        asked = list(dict.fromkeys(wanted))
        if not asked:
            return {}
        kept = [self._kept.get(key) for key in asked]
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(
                _SQL.versions, *map(list, zip(*asked, strict=True)), [one is not None for one in kept]
            )
        found = {}
        for row in rows:
            place = row["place"] - 1
            key = asked[place]._replace(version=row["version"])
            document = kept[place] if row["document"] is None else self._read(key, row["document"].encode())
            found[asked[place]] = StoredVersion(key, row["name"], row["event_type"], document)
        return found

    def _read(self, key: VersionKey, raw: bytes) -> Document | None:
        try:
            document = replace(parse(raw), raw=b"")
        except ClarionError as error:
            log.error("workflow_unreadable", workflow_id=key.workflow_id, version=key.version, error=error.detail)
            return None
        while len(self._kept) >= _MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = document
        return document
