"""Stored recipients as planning reads them, in PostgreSQL: many of many tenants, or a tenant's page by page."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import asyncpg

from clarion.common.v1 import event_pb2
from runtime import postgres
from runtime.ids import is_uuid
from services.domain import audience
from services.router.ports import MemberPage, Membership, Person, RecipientKey
from services.router.recipients.store import AFTER_ALL, BEFORE_ALL, Pool

_SQL = postgres.Queries(Path(__file__).with_name("people.sql"))


class PostgresRecipients:
    """services.router.ports.StoredRecipients."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, wanted: Collection[RecipientKey]) -> Mapping[RecipientKey, Person]:
        """See StoredRecipients."""
        keys = [key for key in wanted if is_uuid(key[0]) and "\0" not in key[1]]  # others cannot be stored
        if not keys:
            return {}
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(_SQL.find, [tenant for tenant, _ in keys], [one for _, one in keys])
        return {(str(row["tenant_id"]), row["recipient_id"]): _person(row) for row in rows}

    async def newest(self, tenant_id: str) -> str:
        """See StoredRecipients."""
        with postgres.unavailable_while_down():
            id_ = await self._pool.fetchval(_SQL.newest, tenant_id)
        return BEFORE_ALL if id_ is None else str(id_)

    async def page(self, membership: Membership, after: str, limit: int, upto: str = "") -> MemberPage:
        """See StoredRecipients. Reads limit members, so that a page has fewer people if some are excluded."""
        begin, end = after or BEFORE_ALL, upto or AFTER_ALL
        with postgres.unavailable_while_down():
            # One more than fits tells whether there is a next page.
            if membership.everybody:
                rows = await self._pool.fetch(
                    _SQL.page_of_everybody,
                    membership.tenant_id,
                    _storable(membership.excluded),
                    begin,
                    limit + 1,
                    _storable(membership.excluded_groups),
                    end,
                )
            else:
                rows = await self._pool.fetch(
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
        people = [_person(row) for row in rows[:limit] if not row["is_excluded"]]
        return MemberPage(people, str(rows[limit - 1]["id"]) if len(rows) > limit else "")


def _storable(texts: Iterable[str]) -> list[str]:
    """Return the texts that a column can hold: PostgreSQL refuses a query with another."""
    return [text for text in texts if "\0" not in text]


def _person(row: asyncpg.Record) -> Person:
    recipient = event_pb2.Recipient(
        user_id=row["recipient_id"],
        email=row["email"],
        phone=row["phone"],
        locale=row["locale"],
        timezone=row["timezone"],
    )
    muted = frozenset(map(event_pb2.Channel.ValueType, row["muted_channels"]))
    return Person(recipient, audience.destination(recipient), muted)
