"""Takes an erased person out of the events of schedules. A person is known by their user id.

A contact whom an event names without one is known by an address: they would else be stored again each time.
"""

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import Final

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime import postgres
from services.domain import addresses as addresses_of
from services.router.recipients.store import Pool
from services.router.schedules.outcome import RECIPIENT_ERASED

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

# Of an event that was for one person alone: all of it is about them.
_ABOUT_THEM: Final = (
    "recipient",
    "audience",
    "caller_event_id",
    "variables",
    "payload_extra",
    "metadata",
    "to_endpoints",
    "direct",
)
_DETAIL = "All recipients of the event were erased. Give it others, or delete the schedule."


def without(event: ingest_pb2.NewEvent, user_id: str, addresses: Collection[str] = ()) -> ingest_pb2.NewEvent | None:
    """Return the event without a person; None: it does not name them. addresses: theirs, as they are stored.

    Of one that was for nobody else only what is not about them is left.
    """
    known = frozenset(address.lower() for address in addresses if address)
    kept = [
        target for target in event.audience if not (_names(target, user_id) or (known and _has_address(target, known)))
    ]
    excluded = [target for target in event.exclusions if not _names(target, user_id)]
    is_recipient = event.recipient.user_id == user_id
    if not is_recipient and (len(kept), len(excluded)) == (len(event.audience), len(event.exclusions)):
        return None
    left = ingest_pb2.NewEvent()
    left.CopyFrom(event)
    del left.audience[:]
    del left.exclusions[:]
    left.audience.extend(kept)
    left.exclusions.extend(excluded)
    if is_recipient or (event.audience and not kept):
        for field in _ABOUT_THEM:
            left.ClearField(field)
        del left.exclusions[:]
    return left


def is_for_somebody(event: ingest_pb2.NewEvent) -> bool:
    """Return whether an event without a person is for somebody or something still."""
    return bool(event.HasField("recipient") or event.audience or event.HasField("to_endpoints"))


def _without(event: bytes, user_id: str, addresses: Collection[str]) -> ingest_pb2.NewEvent | None:
    return without(ingest_pb2.NewEvent.FromString(event), user_id, addresses)


def _names(target: event_pb2.Target, user_id: str) -> bool:
    return user_id in (target.recipient_id, target.recipient.user_id, target.contact.recipient.user_id)


def _has_address(target: event_pb2.Target, known: Collection[str]) -> bool:
    """Return whether a target is a contact without an id and with one of these addresses, in lower case."""
    named = target.contact.recipient
    if named.user_id:
        return False
    written = {addresses_of.trimmed(named.email).lower(), addresses_of.phone_as_written(named.phone)}
    with contextlib.suppress(addresses_of.InvalidAddress):
        written.add(addresses_of.parse_phone(named.phone))
    return not written.isdisjoint(known)


class PeopleInSchedules:
    """Rewrites router.schedules. Raises UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def erase(self, tenant_id: str, user_id: str, now_us: int, addresses: Collection[str] = ()) -> int:
        """Take a person out of a tenant's schedules; return the number of schedules.

        A schedule that was for nobody else stops. addresses: of the person: contacts without an id are known by them.
        """
        changed = 0
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                by_address = any(addresses)
                for row in await connection.fetch(_SQL.lock_naming, tenant_id, user_id.encode(), by_address):
                    event, in_hand = row["event"], row["event_in_hand"]
                    left = _without(event, user_id, addresses)
                    is_in_hand = in_hand is not None and _without(in_hand, user_id, addresses) is not None
                    if left is not None or is_in_hand:
                        await connection.execute(
                            _SQL.replace_event,
                            row["id"],
                            event if left is None else left.SerializeToString(),
                            left is None or is_for_somebody(left),
                            RECIPIENT_ERASED,
                            _DETAIL,
                            now_us,
                            # What is sent in its place has the same key.
                            None if is_in_hand else in_hand,
                        )
                        changed += 1
        return changed
