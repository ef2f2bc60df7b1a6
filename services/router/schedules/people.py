"""Takes an erased person out of the events of schedules. A person is known by their user id.

Somebody whom an event describes without one is known by an address: they would else get it each time.
"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Final

import asyncpg

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime import postgres
from services.domain.nameless import described, has_address
from services.router.recipients.store import BEFORE_ALL, Connection, Pool
from services.router.schedules.outcome import RECIPIENT_ERASED
from services.router.schedules.schedule import Schedule
from services.router.schedules.store import schedule_of

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
_CONTENT: Final = ("variables", "payload_extra", "metadata", "direct")
# Schedules that are read at a time: each may have half a megabyte.
PAGE = 50
_DETAIL = "All recipients of the event were erased. Give it others, or delete the schedule."


def without(event: ingest_pb2.NewEvent, user_id: str, addresses: Collection[str] = ()) -> ingest_pb2.NewEvent | None:
    """Return the event without a person; None: it does not name them. addresses: theirs, as they are stored.

    Of one that was for nobody else only what is not about them is left.
    """
    known = frozenset(address.lower() for address in addresses if address)
    kept = [
        target for target in event.audience if not (_names(target, user_id) or has_address(described(target), known))
    ]
    excluded = [target for target in event.exclusions if not _names(target, user_id)]
    is_recipient = event.recipient.user_id == user_id or has_address(event.recipient, known)
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


def only(event: ingest_pb2.NewEvent, user_id: str, addresses: Collection[str] = ()) -> ingest_pb2.NewEvent | None:
    """Return the event without all others than a person; None: it does not name them. addresses: as of without().

    Of one from which they are only excluded the content is left out: it is not for them.
    """
    known = frozenset(address.lower() for address in addresses if address)
    mine = [target for target in event.audience if _names(target, user_id) or has_address(described(target), known)]
    excluded = [target for target in event.exclusions if _names(target, user_id)]
    is_recipient = event.recipient.user_id == user_id or has_address(event.recipient, known)
    if not (is_recipient or mine or excluded):
        return None
    part = ingest_pb2.NewEvent()
    part.CopyFrom(event)
    del part.audience[:]
    del part.exclusions[:]
    part.audience.extend(mine)
    part.exclusions.extend(excluded)
    if not is_recipient:
        part.ClearField("recipient")
    if not (is_recipient or mine):
        for field in _CONTENT:
            part.ClearField(field)
    return part


def is_for_somebody(event: ingest_pb2.NewEvent) -> bool:
    """Return whether an event without a person is for somebody or something still."""
    return bool(event.HasField("recipient") or event.audience or event.HasField("to_endpoints"))


def _without(event: bytes, user_id: str, addresses: Collection[str]) -> ingest_pb2.NewEvent | None:
    return without(ingest_pb2.NewEvent.FromString(event), user_id, addresses)


def _names(target: event_pb2.Target, user_id: str) -> bool:
    return user_id in (target.recipient_id, target.recipient.user_id, target.contact.recipient.user_id)


class PeopleInSchedules:
    """Rewrites router.schedules. Raises UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def erase(self, tenant_id: str, user_id: str, now_us: int, addresses: Collection[str] = ()) -> int:
        """Take a person out of a tenant's schedules; return the number of schedules.

        A schedule that was for nobody else stops. addresses: of the person, who is known by them where an event
        describes them without an id.
        """
        changed, after, more = 0, BEFORE_ALL, True
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=5.0) as connection, connection.transaction():
                while more:
                    rows = await connection.fetch(
                        _SQL.lock_naming, tenant_id, user_id.encode(), any(addresses), after, PAGE
                    )
                    for row in rows:
                        changed += await _erase(connection, row, user_id, addresses, now_us)
                    after, more = rows[-1]["id"] if rows else after, len(rows) == PAGE
        return changed

    async def export(
        self, tenant_id: str, user_id: str, after: str, limit: int, addresses: Collection[str] = ()
    ) -> tuple[list[Schedule], str]:
        """Return a person's part of the next schedules, and the next cursor; empty: there are no more.

        limit: of the schedules that are looked at.
        """
        args = tenant_id, user_id.encode(), any(addresses), after or BEFORE_ALL, limit
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.naming, *args)
        found = []
        for schedule in map(schedule_of, rows):
            part = only(ingest_pb2.NewEvent.FromString(schedule.event), user_id, addresses)
            if part is not None:
                found.append(replace(schedule, event=part.SerializeToString()))
        return found, str(rows[-1]["id"]) if len(rows) == limit else ""


async def _erase(
    connection: Connection, row: asyncpg.Record, user_id: str, addresses: Collection[str], now_us: int
) -> bool:
    """Take a person out of a schedule; return whether they were in it."""
    event, in_hand = row["event"], row["event_in_hand"]
    left = _without(event, user_id, addresses)
    is_in_hand = in_hand is not None and _without(in_hand, user_id, addresses) is not None
    if left is None and not is_in_hand:
        return False
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
    return True
