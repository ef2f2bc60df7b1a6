"""Keeps the configuration's copy of the suppressions whole, whatever the broker has forgotten."""

import asyncio
import random

import asyncpg

from runtime import logs
from runtime.errors import ClarionError
from services.router.suppressions.store import Known, SuppressionStore

EVERY_S = 600.0
# While PostgreSQL or the broker is away.
_AGAIN_S = 15.0

log = logs.get(__name__)


async def mend(store: SuppressionStore, known: Known) -> None:
    """Compare at once and then every ten minutes, for ever. known: a configuration watch's get."""
    while True:
        pause_s = EVERY_S
        try:
            if number := await store.publish_missing(known):
                log.warning("suppressions_published_again", keys=number)
        except (ClarionError, asyncpg.PostgresError) as error:
            log.warning("suppressions_not_compared", error=repr(error))
            pause_s = _AGAIN_S
        await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret
