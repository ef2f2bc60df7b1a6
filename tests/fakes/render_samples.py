"""Render's samples in memory."""

from dataclasses import dataclass, field, replace
from itertools import count

from services.render.samples.samples import NewSample, StoredSample, check_room, name_taken, not_found
from tests.fakes.render import AWAY


@dataclass
class MemorySamples:
    """Implements samples.SampleStore."""

    kept: dict[str, StoredSample] = field(default_factory=dict)
    away: bool = False
    _clock: "count[int]" = field(default_factory=lambda: count(1_750_000_000_000_000))

    async def create(self, sample_id: str, new: NewSample) -> StoredSample:
        """Store a sample. Raises CONFLICT."""
        self._check()
        samples = [one.sample for one in self.kept.values() if one.sample.tenant_id == new.tenant_id]
        check_room(sum(one.event_type == new.event_type for one in samples), len(samples))
        now = next(self._clock)
        return self._put(StoredSample(sample_id, new, now, now))

    async def update(self, sample_id: str, tenant_id: str, name: str, variables: bytes) -> StoredSample:
        """Replace name and variables. Raises NOT_FOUND, CONFLICT."""
        known = await self.get(sample_id, tenant_id)
        sample = replace(known.sample, name=name, variables=variables)
        return self._put(replace(known, sample=sample, updated_at_us=next(self._clock)))

    async def get(self, sample_id: str, tenant_id: str) -> StoredSample:
        """Return a sample of this tenant. Raises NOT_FOUND."""
        self._check()
        found = self.kept.get(sample_id)
        if found is None or found.sample.tenant_id != tenant_id:
            raise not_found()
        return found

    async def delete(self, sample_id: str, tenant_id: str) -> None:
        """Delete a sample of this tenant. Raises NOT_FOUND."""
        await self.get(sample_id, tenant_id)
        del self.kept[sample_id]

    async def page(self, tenant_id: str, event_type: str, *, limit: int, cursor: str) -> list[StoredSample]:
        """Return a tenant's samples by (event type, name), after the one whose id is cursor."""
        self._check()
        after = _place(self.kept[cursor]) if cursor else None
        return [
            one
            for one in sorted(self.kept.values(), key=_place)
            if one.sample.tenant_id == tenant_id
            and event_type in ("", one.sample.event_type)
            and (after is None or _place(one) > after)
        ][:limit]

    def _put(self, stored: StoredSample) -> StoredSample:
        new = stored.sample
        others = [one.sample for one in self.kept.values() if one.id != stored.id]
        if any((_kind(one), one.name) == (_kind(new), new.name) for one in others):
            raise name_taken(new.name)
        self.kept[stored.id] = stored
        return stored

    def _check(self) -> None:
        if self.away:
            raise AWAY


def _kind(sample: NewSample) -> tuple[str, str]:
    return sample.tenant_id, sample.event_type


def _place(stored: StoredSample) -> tuple[str, str]:
    return stored.sample.event_type, stored.sample.name
