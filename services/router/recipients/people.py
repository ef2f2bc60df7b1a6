"""Stored recipients as planning reads them, in PostgreSQL: many of many tenants, or a tenant's page by page."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import asyncpg

from clarion.common.v1 import event_pb2
from runtime import postgres
from runtime.ids import is_uuid
from services.domain import audience
from services.router.ports import MemberPage, Membership, Person, RecipientKey
from services.router.recipients.check import muted, read_preferences, unwanted
from services.router.recipients.store import AFTER_ALL, BEFORE_ALL, Pool
from services.router.segments.condition import condition_of
from services.router.segments.filter import Test
from services.router.segments.members import SegmentMembers
from services.router.segments.scan import Found, Scan

_SQL = postgres.Queries(Path(__file__).with_name("people.sql"))


class PostgresRecipients:
    """services.router.ports.StoredRecipients."""

    def __init__(self, pool: Pool, scan: Scan | None = None) -> None:
        self._pool = pool
        self._scan = scan or Scan(pool)
        self._segments = SegmentMembers(pool, self._scan)

    async def find(self, wanted: Collection[RecipientKey], *, whole: bool = False) -> Mapping[RecipientKey, Person]:
        """See StoredRecipients."""
        keys = [key for key in wanted if is_uuid(key[0]) and "\0" not in key[1]]  # others cannot be stored
        if not keys:
            return {}
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.find, [tenant for tenant, _ in keys], [one for _, one in keys], whole)
        return {(str(row["tenant_id"]), row["recipient_id"]): person_of(row, whole=whole) for row in rows}

    async def newest(self, tenant_id: str) -> str:
        """See StoredRecipients."""
        with postgres.unavailable_while_down():
            id_ = await self._pool.fetchval(_SQL.newest, tenant_id)
        return BEFORE_ALL if id_ is None else str(id_)

    async def page(self, membership: Membership, after: str, limit: int, upto: str = "") -> MemberPage:
        """See StoredRecipients. Reads limit members, so that a page has fewer people if some are excluded."""
        begin, end = after or BEFORE_ALL, upto or AFTER_ALL
        if not membership.everybody and (membership.tags or membership.segment_ids):
            found = await self._searched(membership, begin, limit, end)
            return MemberPage(await self._people(membership, found.ids), found.looked_at)
        rows = await self._read(membership, begin, limit, end)
        next_after = str(rows[limit - 1]["id"]) if len(rows) > limit else ""
        if membership.whole:
            return MemberPage(await self._people(membership, [str(row["id"]) for row in rows[:limit]]), next_after)
        return MemberPage([person_of(row) for row in rows[:limit] if not row["is_excluded"]], next_after)

    async def _read(self, membership: Membership, begin: str, limit: int, end: str) -> Sequence[asyncpg.Record]:
        """Return the next members of groups, or of all; one more than fits tells whether there is a next page."""
        with postgres.unavailable_while_down():
            if membership.everybody:
                return await self._pool.fetch(
                    _SQL.page_of_everybody,
                    membership.tenant_id,
                    _storable(membership.excluded),
                    begin,
                    limit + 1,
                    _storable(membership.excluded_groups),
                    end,
                )
            return await self._pool.fetch(
                _SQL.page_of_named,
                membership.tenant_id,
                _storable(membership.groups),
                _storable(membership.recipients),
                _storable(membership.excluded),
                begin,
                limit + 1,
                _storable(membership.excluded_groups),
                end,
            )

    async def _searched(self, membership: Membership, begin: str, limit: int, end: str) -> Found:
        """Return the next members if some are found by tags or segments; each source is read as far as it costs little.

        The page ends where the first source was left off.
        """
        tenant_id = membership.tenant_id
        found = []
        for tags in membership.tags:
            if stored := tuple(dict.fromkeys(_storable(tags))):
                condition = condition_of(Test("tags", "has_all", stored))
                found.append(await self._scan.step(tenant_id, condition, begin, limit, end))
        found += [
            await self._segments.step(tenant_id, segment_id, begin, limit, end) for segment_id in membership.segment_ids
        ]
        if membership.groups or membership.recipients:
            rows = await self._read(membership, begin, limit, end)
            ids = [str(row["id"]) for row in rows[:limit]]
            found.append(Found(ids, ids[-1] if len(rows) > limit else ""))
        horizon = min((one.looked_at for one in found if one.looked_at), default="")
        ids = sorted({id_ for one in found for id_ in one.ids if not horizon or id_ <= horizon})
        return Found(ids[:limit], ids[limit - 1] if len(ids) > limit else horizon)

    async def _people(self, membership: Membership, ids: Sequence[str]) -> Sequence[Person]:
        """Return those who are not excluded of the recipients with these ids."""
        if not ids:
            return ()
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(
                _SQL.page_of_ids,
                membership.tenant_id,
                ids,
                _storable(membership.excluded),
                _storable(membership.excluded_groups),
                membership.whole,
            )
        return [person_of(row, whole=membership.whole) for row in rows if not row["is_excluded"]]


def person_of(row: asyncpg.Record, *, whole: bool = False) -> Person:
    """Return a recipient as planning sees them. whole: the row has what StoredRecipients.find says."""
    recipient = event_pb2.Recipient(
        user_id=row["recipient_id"],
        email=row["email"],
        phone=row["phone"],
        locale=row["locale"],
        timezone=row["timezone"],
    )
    silent = muted(row["muted_channels"], inactive=row["inactive"])
    if not whole:
        return Person(recipient, audience.destination(recipient), silent)
    recipient.name, recipient.data = row["name"], row["data"].encode()
    of_categories = unwanted(read_preferences(row["category_preferences"]))
    tags = frozenset(row["tags"])
    return Person(recipient, audience.destination(recipient), silent, tags=tags, unwanted=of_categories)


def _storable(texts: Iterable[str]) -> list[str]:
    """Return the texts that a column can hold: PostgreSQL refuses a query with another."""
    return [text for text in texts if "\0" not in text]
