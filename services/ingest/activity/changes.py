"""Tells on core NATS which events the ledger has changed, for those who watch: best effort, and not stored.

A subject without a subscriber costs the server nothing. Watchers read the events from the tables.
"""

from collections.abc import Iterable, Mapping

from services.ingest.ledger.rows import LedgerRows

SUBJECT = "ledger.changed"
# Events in a message, of a group's: 16 bytes each, so far below what the broker takes.
MAX_EVENTS = 4000

_ID_BYTES = 16


def changed_events(rows: LedgerRows) -> dict[str, set[str]]:
    """Return the ids of the events that these rows change, by tenant; at most MAX_EVENTS."""
    found: dict[str, set[str]] = {}
    left = MAX_EVENTS
    for tenant_id, event_id in _pairs(rows):
        events = found.setdefault(tenant_id, set())
        if event_id not in events:
            if not left:
                break
            events.add(event_id)
            left -= 1
    return found


def _pairs(rows: LedgerRows) -> Iterable[tuple[str, str]]:
    for event in rows.events.values():
        yield event.tenant_id, event.id
        if event.replay_of:
            yield event.tenant_id, event.replay_of  # it is shown as sent again
    for delivery in rows.deliveries.values():
        yield delivery.tenant_id, delivery.event_id


def encode(changed: Mapping[str, Iterable[str]]) -> bytes:
    """Return a message: of each tenant its id, the number of its events in four bytes, and their ids."""
    parts = []
    for tenant_id, events in changed.items():
        ids = list(events)
        parts.append(f"{tenant_id}{len(ids):08x}{''.join(ids)}")
    return bytes.fromhex("".join(parts).replace("-", ""))


def decode(message: bytes) -> dict[str, list[str]]:
    """Return the ids of events by tenant. Raises ValueError for what is no such message."""
    found: dict[str, list[str]] = {}
    at = 0
    while at < len(message):
        tenant_id, at = _id(message, at), at + _ID_BYTES
        count, at = int.from_bytes(message[at : at + 4]), at + 4
        end = at + count * _ID_BYTES
        if end > len(message):
            raise ValueError("the message is cut off")
        found.setdefault(tenant_id, []).extend(_id(message, place) for place in range(at, end, _ID_BYTES))
        at = end
    return found


def _id(message: bytes, at: int) -> str:
    digits = message[at : at + _ID_BYTES].hex()
    if len(digits) != 2 * _ID_BYTES:
        raise ValueError("the message is cut off")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
