"""Collects which events changed, for one watcher, and which of them it is shown: pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

# Events that a watcher is shown at once; of more changes only the newest events'.
MOST = 200
# Events of a tenant that are remembered between two showings; of more only their number is known.
_MOST_OF_TENANT = 1000


@dataclass(slots=True)
class Changes:
    """The changes since the last take(). tenant_ids: of these tenants; empty: of all."""

    tenant_ids: Collection[str] = ()
    _events: dict[str, set[str]] = field(default_factory=dict)
    _skipped: dict[str, int] = field(default_factory=dict)

    def add(self, changed: Mapping[str, Sequence[str]]) -> bool:
        """Remember changes; return whether any is of the tenants that are watched."""
        any_added = False
        for tenant_id, event_ids in changed.items():
            if self.tenant_ids and tenant_id not in self.tenant_ids:
                continue
            any_added = True
            events = self._events.setdefault(tenant_id, set())
            events.update(event_ids)
            if len(events) > _MOST_OF_TENANT:
                kept = set(sorted(events, reverse=True)[:MOST])
                self._skip(tenant_id, len(events) - len(kept))
                self._events[tenant_id] = kept
        return any_added

    def take(self) -> tuple[list[str], dict[str, int]]:
        """Return up to MOST events, and how many others of each tenant changed; forget both.

        Of each tenant the newest; a tenant with many changes leaves room for those with few.
        """
        newest = [sorted(events, reverse=True)[:MOST] for events in self._events.values()]
        taken = [event for turn in zip_longest(*newest) for event in turn if event is not None][:MOST]
        chosen = set(taken)
        for tenant_id, events in self._events.items():
            self._skip(tenant_id, len(events - chosen))
        skipped = self._skipped
        self._events, self._skipped = {}, {}
        return taken, skipped

    def _skip(self, tenant_id: str, count: int) -> None:
        if count:
            self._skipped[tenant_id] = self._skipped.get(tenant_id, 0) + count
