"""Stores people who may be stored already, so that nobody is stored twice whatever happens at the same time.

A person is looked for by identifiers: the tenant's id of them, an e-mail address, a phone number. Whoever stores or
changes somebody by identifiers holds a lock of each until that is committed, in the same order everywhere. So between
looking and storing nobody else stores the same person. PostgreSQL's unique indexes hold even for who does not take
these locks (PutRecipients): what they refuse is looked at again.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

import asyncpg
from tenacity import stop_after_attempt

from runtime import postgres
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from runtime.retrying import retry
from services.router.recipients import store
from services.router.recipients.decisions import Decision, Known, Names, Wanted
from services.router.recipients.row import RecipientRow
from services.router.recipients.store import ACQUIRE_S, Connection, Pool, row_of

# People of one transaction: each takes up to five locks.
BATCH = 100
# A transaction that another one disturbs is tried again so often; the pause before, seconds.
_TRIES = 6
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 0.2
DISTURBED = (asyncpg.UniqueViolationError, asyncpg.exceptions.TransactionRollbackError)

_SQL = postgres.Queries(Path(__file__).with_name("writing.sql"))
_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))

W = TypeVar("W", bound=Wanted)


@dataclass(frozen=True, slots=True)
class Saved:
    """row: as they are stored now; None: they are not. is_new: they were not stored before."""

    decision: Decision
    row: RecipientRow | None
    is_new: bool = False


class RecipientWriter:
    """Reads and writes router.recipients. Methods raise UNAVAILABLE while PostgreSQL is away."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def look_up(self, wanted: Sequence[tuple[str, Names]]) -> list[Known]:
        """Return who has these identifiers, in the same order. wanted: tenants' ids and names."""
        with postgres.unavailable_while_down():
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection:
                return await _known(connection, wanted)

    async def save(self, tenant_id: str, wanted: Sequence[Wanted]) -> list[Saved]:
        """Store people of one tenant, each as it decides itself; return the same number of results, in their order.

        Of several with a common identifier a later one finds what an earlier one stored. Each is stored or not by
        itself; but a failure of PostgreSQL is raised, and then some may be stored.
        """
        return await _in_batches(wanted, lambda batch: self._save_batch(tenant_id, batch, refuse_new=None))

    async def save_within(self, connection: Connection, tenant_id: str, wanted: Sequence[Wanted]) -> list[Saved]:
        """Do as save() in a transaction of the caller, who must begin it again if another one disturbs it."""

        async def save_batch(batch: Sequence[tuple[int, Wanted]]) -> Mapping[int, Saved]:
            try:
                async with connection.transaction():
                    return await _save(connection, tenant_id, batch, None)
            except ClarionError as error:
                if error.code is not Code.CONFLICT:
                    raise
                full = error
            return await _save(connection, tenant_id, batch, full)

        return await _in_batches(wanted, save_batch)

    async def _save_batch(
        self, tenant_id: str, batch: Sequence[tuple[int, Wanted]], *, refuse_new: ClarionError | None
    ) -> Mapping[int, Saved]:
        async def work() -> Mapping[int, Saved]:
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
                return await _save(connection, tenant_id, batch, refuse_new)

        with postgres.unavailable_while_down():
            try:
                return await retry(
                    work,
                    DISTURBED,
                    first_s=_FIRST_PAUSE_S,
                    longest_s=_LONGEST_PAUSE_S,
                    stop=stop_after_attempt(_TRIES),
                )
            except DISTURBED as error:
                message = "These recipients are changed by others at the moment."
                raise ClarionError(Code.UNAVAILABLE, message, retry_after=1) from error
            except ClarionError as error:
                if refuse_new is not None or error.code is not Code.CONFLICT:
                    raise
                full = error
        # The tenant has as many recipients as it may have: the others are still changed.
        return await self._save_batch(tenant_id, batch, refuse_new=full)


async def _in_batches(
    wanted: Sequence[Wanted], save: Callable[[Sequence[tuple[int, Wanted]]], Awaitable[Mapping[int, Saved]]]
) -> list[Saved]:
    """Return the results of all. save: stores some without a common identifier, and leaves out whom it stores later."""
    results: dict[int, Saved] = {}
    left = list(enumerate(wanted))
    while left:
        batch, left = _without_common_names(left)
        results.update(await save(batch))
        left = sorted([*(one for one in batch if one[0] not in results), *left], key=itemgetter(0))
    return [results[position] for position in range(len(wanted))]


def _without_common_names(left: Sequence[tuple[int, W]]) -> tuple[list[tuple[int, W]], list[tuple[int, W]]]:
    """Return those that can be stored together, because no two have a common identifier, and the others."""
    batch: list[tuple[int, W]] = []
    others: list[tuple[int, W]] = []
    taken = set[str]()
    for one in left:
        identifiers = set(one[1].names.identifiers())
        if len(batch) < BATCH and not identifiers & taken:
            batch.append(one)
        else:
            others.append(one)
        taken |= identifiers
    return batch, others


async def _save(
    connection: Connection, tenant_id: str, batch: Sequence[tuple[int, Wanted]], refuse_new: ClarionError | None
) -> Mapping[int, Saved]:
    """Store a batch in a transaction; some may be left out, because they are the same person by different names."""
    names = [one.names for _, one in batch]
    identifiers = sorted({f"{tenant_id}/{identifier}" for one in names for identifier in one.identifiers()})
    await connection.execute(_SQL.lock, identifiers)
    known = await _known(connection, [(tenant_id, one) for one in names], locked=True)
    decisions: dict[int, tuple[Decision, str]] = {}
    taken: set[str] = set()
    for (position, one), found in zip(batch, known, strict=True):
        owners = {row.id for row in found if row is not None}
        if owners & taken:
            continue  # in the next batch, which sees what was stored of them
        taken |= owners
        decision = one.decide(found)
        if decision.wanted is not None and decision.current is None and refuse_new is not None:
            decision = Decision(error=refuse_new)
        decisions[position] = decision, decision.current.id if decision.current else new_id()
    await _write(connection, tenant_id, decisions.values())
    written = [id_ for decision, id_ in decisions.values() if decision.wanted is not None]
    rows = {str(row["id"]): row_of(row) for row in await connection.fetch(_QUERIES.by_ids, tenant_id, written)}
    return {
        position: Saved(decision, rows.get(id_, decision.current), decision.current is None and id_ in rows)
        for position, (decision, id_) in decisions.items()
    }


async def _write(connection: Connection, tenant_id: str, decisions: Iterable[tuple[Decision, str]]) -> None:
    new: list[dict[str, object]] = []
    changed: list[dict[str, object]] = []
    # The new recipient_id of those who have another one now, by the one before.
    renamed: dict[str, str] = {}
    for decision, id_ in decisions:
        if decision.wanted is not None:
            before = decision.current.recipient.recipient_id if decision.current is not None else ""
            if before not in ("", decision.wanted.recipient_id):
                renamed[before] = decision.wanted.recipient_id
            item = store.item(id_, decision.wanted) | {"is_unique": decision.is_unique}
            (new if decision.current is None else changed).append(item)
    if changed:
        await connection.execute(_SQL.update, tenant_id, store.encode(changed))
    if renamed:
        columns = [list(names) for names in zip(*sorted(renamed.items()), strict=True)]
        # In the order in which an erasure locks them.
        await connection.execute(_SQL.rename_cooldowns, tenant_id, *columns)
        await connection.execute(_SQL.rename_workflow_runs, tenant_id, *columns)
    if new:
        await connection.execute(_SQL.insert, tenant_id, store.encode(new))
    if ids := [one["id"] for one in (*new, *changed)]:
        await connection.execute(_QUERIES.remove_old_tags, tenant_id, ids)
        await connection.execute(_QUERIES.add_tags, tenant_id, ids)
    if new:
        await store.count(connection, tenant_id, len(new))


async def _known(connection: Connection, wanted: Sequence[tuple[str, Names]], *, locked: bool = False) -> list[Known]:
    """Return who has these identifiers. locked: who is found stays as they are until the transaction ends.

    locked only with people of one tenant.
    """
    columns = [
        [tenant_id for tenant_id, _ in wanted],
        [names.recipient_id for _, names in wanted],
        [names.id or None for _, names in wanted],
        [names.email for _, names in wanted],
        [names.phone for _, names in wanted],
        [names.new_recipient_id for _, names in wanted],
    ]
    found = await connection.fetch(_SQL.look_up, *columns)
    keys = {(wanted[one["position"] - 1][0], str(one["id"])) for one in found}
    if not keys:
        return [Known()] * len(wanted)
    if locked:
        await connection.execute(_SQL.lock_rows, wanted[0][0], [id_ for _, id_ in keys])
        # PutRecipients takes no locks of identifiers: it may have changed them before their rows were locked.
        if await connection.fetch(_SQL.look_up, *columns) != found:
            raise asyncpg.exceptions.SerializationError("others have these identifiers now")
    tenant_ids, ids = zip(*sorted(keys), strict=True)
    rows = {str(row["id"]): row_of(row) for row in await connection.fetch(_SQL.rows, tenant_ids, ids)}
    known: list[dict[str, RecipientRow | None]] = [{} for _ in wanted]
    for one in found:
        known[one["position"] - 1][one["found_by"]] = rows.get(str(one["id"]))
    return [Known(**one) for one in known]
