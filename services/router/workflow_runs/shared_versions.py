"""Reads versions of workflows, for all runs and events that ask at the same time in one query."""

from collections.abc import Collection, Mapping, Sequence

from runtime.batching import Batcher, BatchLimits
from services.router.workflow_runs.ports import Versions
from services.router.workflows.versions import StoredVersion, VersionKey

# Versions that one query reads.
_MAX_ASKED = 500


class SharedVersions:
    """Implements ports.Versions."""

    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        # What counts as the bytes of an item is the number of its versions.
        limits = BatchLimits(bytes=_MAX_ASKED)
        self._batcher: Batcher[Collection[VersionKey], Mapping[VersionKey, StoredVersion]] = Batcher(
            self._get, limits, size=len
        )

    async def get(self, wanted: Collection[VersionKey]) -> Mapping[VersionKey, StoredVersion]:
        """See ports.Versions."""
        return await self._batcher.submit(wanted)

    async def _get(self, asked: Sequence[Collection[VersionKey]]) -> Sequence[Mapping[VersionKey, StoredVersion]]:
        found = await self._versions.get({key for keys in asked for key in keys})
        return [{key: found[key] for key in keys if key in found} for keys in asked]
