"""Counts refusals in bounded memory: alike ones of a minute are one entry."""

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from clarion.ingest.v1 import refusals_pb2
from gateway.refusals.notes import Note, PresentedKey
from services.domain.refused import BY_WORD

# Entries at a time. Beyond it, refusals are counted by route, status and reason only.
MAX_ENTRIES = 2_000
# Keys that are told apart of one network, a minute: somebody who tries keys is one entry.
MAX_KEYS_OF_NETWORK = 8
_MINUTE_US = 60_000_000
# Entries that could not be handed in are dropped when they are as old as this.
MAX_AGE_US = 10 * _MINUTE_US

_NO_KEY = PresentedKey(b"", "", "")


class Kind(NamedTuple):
    """What refusals have in common that are counted together."""

    tenant_id: str
    key: PresentedKey
    network: str
    method: str
    route: str
    status: int
    reason: str
    minute: int


@dataclass(slots=True)
class _Entry:
    count: int
    first_us: int
    last_us: int
    trace_id: str
    note: Note


class Refusals:
    """The refusals that are not handed in yet."""

    def __init__(self) -> None:
        self._entries: dict[Kind, _Entry] = {}
        # Keys that are told apart, by network and minute.
        self._keys: defaultdict[tuple[str, int], set[bytes]] = defaultdict(set)

    def count(
        self,
        now_us: int,
        *,
        tenant_id: str,
        key: PresentedKey | None,
        network: str,
        method: str,
        route: str,
        status: int,
        note: Note,
        trace_id: str,
    ) -> None:
        """Count a refused request. tenant_id: of a valid key, else empty. network: of an unknown caller."""
        minute = now_us // _MINUTE_US
        key = key or _NO_KEY
        if not tenant_id and key.digest and not self._is_told_apart(network, minute, key.digest):
            key = _NO_KEY
        kind = Kind(tenant_id, key, "" if tenant_id else network, method, route, status, note.reason.value, minute)
        entry = self._entries.get(kind)
        if entry is None and len(self._entries) >= MAX_ENTRIES:
            kind = kind._replace(tenant_id="", key=_NO_KEY, network="")
            entry = self._entries.get(kind)
        if entry is None:
            self._entries[kind] = _Entry(1, now_us, now_us, trace_id, note)
            return
        entry.count += 1
        entry.last_us = now_us
        entry.trace_id = trace_id
        entry.note = note

    def take(self, limit: int) -> list[tuple[Kind, refusals_pb2.CountedRefusals]]:
        """Return up to limit entries, and forget them."""
        kinds = list(self._entries)[:limit]
        taken = [(kind, _wire(kind, self._entries.pop(kind))) for kind in kinds]
        if not self._entries:
            self._keys.clear()
        return taken

    def put_back(self, taken: "list[tuple[Kind, refusals_pb2.CountedRefusals]]", now_us: int) -> int:
        """Keep entries that could not be handed in, unless they are too old; return how many refusals are lost."""
        lost = 0
        for kind, wire in taken:
            entry = self._entries.get(kind)
            if entry is not None:
                entry.count += wire.count
                entry.first_us = min(entry.first_us, wire.first_at_us)
            elif wire.last_at_us < now_us - MAX_AGE_US or len(self._entries) >= MAX_ENTRIES:
                lost += wire.count
            else:
                note = Note(BY_WORD[kind.reason], wire.detail, tuple(wire.fields))
                self._entries[kind] = _Entry(wire.count, wire.first_at_us, wire.last_at_us, wire.trace_id, note)
        return lost

    def _is_told_apart(self, network: str, minute: int, digest: bytes) -> bool:
        if (network, minute) not in self._keys and len(self._keys) >= MAX_ENTRIES:
            return False
        known = self._keys[network, minute]
        if len(known) < MAX_KEYS_OF_NETWORK:
            known.add(digest)
        return digest in known


def _wire(kind: Kind, entry: _Entry) -> refusals_pb2.CountedRefusals:
    return refusals_pb2.CountedRefusals(
        tenant_id=kind.tenant_id,
        key_digest=kind.key.digest,
        key_prefix=kind.key.prefix,
        key_last4=kind.key.last4,
        network=kind.network,
        method=kind.method,
        route=kind.route,
        status=kind.status,
        reason=kind.reason,
        detail=entry.note.detail,
        fields=entry.note.fields,
        trace_id=entry.trace_id,
        count=entry.count,
        first_at_us=entry.first_us,
        last_at_us=entry.last_us,
    )
