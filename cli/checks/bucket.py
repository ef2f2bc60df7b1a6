"""The check of the configuration bucket, which holds a copy of tables in PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

from cli import configuration
from cli.checks.finding import MIGRATE, Finding, fail, ok
from runtime import nats
from runtime.reconcile import FAILURES

_SUBJECT = "bucket"
_CONNECT_S = 3.0
_DEADLINE_S = 60.0


async def check(postgres_url: str, nats_url: str) -> AsyncIterator[Finding]:
    """Compare each key of the bucket with PostgreSQL. Nothing is written."""
    if not postgres_url or not nats_url:
        return
    try:
        async with asyncio.timeout(_DEADLINE_S):
            connection = await nats.connect(nats_url, name="clarion-doctor", wait=_CONNECT_S)
            try:
                differences = await configuration.differences(postgres_url, connection)
            finally:
                await connection.close()
    except FAILURES as error:
        yield fail(
            _SUBJECT,
            f"could not be compared with PostgreSQL: {error or type(error).__name__}",
            "Fix PostgreSQL and NATS first, then run `clarion doctor` again.",
        )
        return
    differing = {owner: found for owner, found in differences.items() if found.total}
    for owner, found in differing.items():
        counts = f"{found.missing} missing, {found.changed} changed, {found.removed} left over"
        examples = ", ".join(found.examples)
        yield fail(_SUBJECT, f"differs from {owner}'s tables: {counts}, such as {examples}", MIGRATE)
    if not differing:
        yield ok(_SUBJECT, "is equal to PostgreSQL")
