"""Reads and writes ingest.claims: which copy of a delivery may be sent."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import asyncpg

from clarion.common.v1 import trace_pb2
from runtime import logs, postgres

_QUERIES = postgres.Queries(Path(__file__).with_name("queries.sql"))

# A claim matters until its copy's first attempt is recorded or another copy has been dropped. A copy that waits longer
# claims the delivery once more.
KEEP_DAYS = 3
SWEEP_INTERVAL_S = 600.0

_UNDECIDED = (trace_pb2.DELIVERY_STATUS_UNSPECIFIED, trace_pb2.DELIVERY_STATUS_QUEUED)

log = logs.get(__name__)


class Claim(NamedTuple):
    """A copy of a delivery that asks. replay: see Delivery. token: the copy's name; empty: it claims nothing."""

    delivery_id: str
    replay: int
    token: str


class Answer(NamedTuple):
    """What the ledger knows. status: of this replay; UNSPECIFIED: nothing, DEAD: there is a later replay."""

    status: int
    is_held_by_another: bool = False


class ClaimStore:
    """Reads and writes the claims. durable: a pool with durable commits, because a lost claim is a second message."""

    def __init__(self, durable: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._durable = durable

    async def claim(self, claims: Sequence[Claim]) -> list[Answer]:
        """Claim the deliveries that nobody has attempted; return an answer for each claim, in their order."""
        statuses = await self._statuses(claims)
        asked = [claim for claim, status in zip(claims, statuses, strict=True) if claim.token and status in _UNDECIDED]
        holders = await self._claim(asked) if asked else {}
        return [
            Answer(
                status, bool(claim.token) and holders.get((claim.delivery_id, claim.replay), claim.token) != claim.token
            )
            for claim, status in zip(claims, statuses, strict=True)
        ]

    async def _statuses(self, claims: Sequence[Claim]) -> list[int]:
        rows = await self._durable.fetch(_QUERIES.states, [claim.delivery_id for claim in claims])
        known = {str(row["id"]): (row["status"], row["replay"]) for row in rows}
        return [_status_of(claim.replay, *known.get(claim.delivery_id, (0, 0))) for claim in claims]

    async def _claim(self, claims: Sequence[Claim]) -> dict[tuple[str, int], str]:
        """Return the token of the copy that has each claim."""
        ids, replays = [claim.delivery_id for claim in claims], [claim.replay for claim in claims]
        await self._durable.execute(_QUERIES.claim, ids, replays, [claim.token for claim in claims])
        rows = await self._durable.fetch(_QUERIES.holders, ids, replays)
        return {(str(row["delivery_id"]), row["replay"]): row["token"] for row in rows}

    async def forget_all(self) -> None:
        """Delete all claims: the streams are new or restored, so the copies that have them may not exist."""
        await self._durable.execute(_QUERIES.forget_all)

    async def sweep(self) -> bool:
        """Delete one batch of old claims; return whether there may be more."""
        async with postgres.background_transaction(self._durable) as connection:
            return await connection.execute(_QUERIES.sweep, KEEP_DAYS) != "DELETE 0"

    async def keep_swept(self) -> None:
        """Sweep every ten minutes until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
            try:
                while await self.sweep():
                    pass
            except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
                log.warning("claims_sweep_failed", error=repr(error))


def _status_of(replay: int, status: int, known_replay: int) -> int:
    """Return the status in this replay of a delivery whose newest known replay has this status."""
    if known_replay == replay:
        return status
    # Only a dead letter is replayed.
    return trace_pb2.DELIVERY_STATUS_DEAD if known_replay > replay else trace_pb2.DELIVERY_STATUS_UNSPECIFIED
