"""Reads the recipients of a tenant whom a filter matches, in bounded steps.

A filter may match few of a million, and no index knows which. So a tenant's recipients are looked at in the order of
their creation, some thousands with each statement: a statement never takes long, whatever the filter is, and the whole
costs one pass. A filter that asks for a tag looks only at those who have it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime import postgres
from runtime.gate import Gate
from services.router.recipients.store import AFTER_ALL, BEFORE_ALL, Pool
from services.router.segments.condition import Condition

# Recipients that a statement looks at; and if it must parse their data, which may have 16 KiB each.
LOOKED_AT, LOOKED_AT_DATA = 20_000, 5_000
# That holds for so many comparisons; a condition with more looks at fewer recipients.
_TESTS = 5
# Lists and counts at a time, each of which may look at all recipients of a tenant: of one tenant, and of all together.
# So many more of a tenant wait.
_OF_TENANT, _OF_ALL, _WAITING = 1, 3, 30

# With OFFSET it is computed once for each recipient, and not wherever a condition names it.
_DATA = "CROSS JOIN LATERAL (SELECT r.data::jsonb AS fields OFFSET 0) AS d"

_SQL = postgres.Queries(Path(__file__).with_name("scan.sql"))


@dataclass(frozen=True, slots=True)
class Found:
    """ids: of recipients' rows, in their order. looked_at: up to whom; empty: up to the end."""

    ids: Sequence[str]
    looked_at: str


class Scan:
    """Raises UNAVAILABLE while PostgreSQL is away, OVERLOADED if too many calls of a tenant wait.

    looked_at, looked_at_data: recipients that a statement looks at.
    """

    def __init__(self, pool: Pool, *, looked_at: int = LOOKED_AT, looked_at_data: int = LOOKED_AT_DATA) -> None:
        self._pool = pool
        self._looked_at = {False: looked_at, True: looked_at_data}
        self._whole_tenants = Gate(per_caller=_OF_TENANT, total=_OF_ALL, waiting=_WAITING)

    async def step(self, tenant_id: str, condition: Condition, after: str, limit: int, upto: str = "") -> Found:
        """Return the next recipients whom a condition matches, at most limit, from one statement's part.

        after: look behind this one; empty: from the start. upto: no further than this one; empty: to the end.
        """
        after = after or BEFORE_ALL
        end = await self._end(tenant_id, condition, after, upto or AFTER_ALL)
        sql = _SQL.ids_with_tag if condition.tag else _SQL.ids
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(
                _with(sql, condition),
                tenant_id,
                after,
                end or upto or AFTER_ALL,
                limit,
                condition.tag,
                *condition.arguments,
            )
        ids = [str(row["id"]) for row in rows]
        return Found(ids, ids[-1] if len(ids) == limit else end)

    async def page(self, tenant_id: str, condition: Condition, after: str, limit: int) -> Found:
        """Return the next recipients whom a condition matches: limit of them, unless there are no more."""
        ids: list[str] = []
        async with self._whole_tenants.enter(tenant_id):
            while True:
                found = await self.step(tenant_id, condition, after, limit - len(ids))
                ids += found.ids
                after = found.looked_at
                if not after or len(ids) == limit:
                    return Found(ids, after)

    async def count(self, tenant_id: str, condition: Condition, at_most: int) -> int:
        """Return how many recipients a condition matches; at_most + 1: there are more than that."""
        total, after = 0, BEFORE_ALL
        sql = _with(_SQL.count_with_tag if condition.tag else _SQL.count, condition)
        async with self._whole_tenants.enter(tenant_id):
            while after and total <= at_most:
                end = await self._end(tenant_id, condition, after, AFTER_ALL)
                left = at_most + 1 - total
                with postgres.unavailable_while_down():
                    total += await self._pool.fetchval(
                        sql, tenant_id, after, end or AFTER_ALL, left, condition.tag, *condition.arguments
                    )
                after = end
        return total

    async def among(self, tenant_id: str, condition: Condition, recipient_ids: Collection[str]) -> frozenset[str]:
        """Return those of the recipients, by the tenant's ids of them, whom a condition matches."""
        wanted = [one for one in recipient_ids if "\0" not in one]  # others cannot be stored
        with postgres.unavailable_while_down():
            rows = await self._pool.fetch(
                _with(_SQL.among, condition),
                tenant_id,
                wanted,
                None,
                None,
                None,
                *condition.arguments,
            )
        return frozenset(row["recipient_id"] for row in rows)

    async def _end(self, tenant_id: str, condition: Condition, after: str, upto: str) -> str:
        """Return with whom the next part ends; empty: it goes up to the end."""
        number = max(1, self._looked_at[condition.reads_data] * _TESTS // max(_TESTS, condition.tests))
        with postgres.unavailable_while_down():
            if condition.tag:
                sql = _SQL.last_looked_at_with_tag
                last = await self._pool.fetchval(sql, tenant_id, after, upto, number, condition.tag)
            else:
                last = await self._pool.fetchval(_SQL.last_looked_at, tenant_id, after, upto, number)
        return "" if last is None else str(last)


def _with(sql: str, condition: Condition) -> str:
    """Return a statement with its condition."""
    return sql.replace("{data}", _DATA if condition.reads_data else "").replace("{condition}", condition.sql)
