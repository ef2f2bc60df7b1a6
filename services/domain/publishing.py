"""Starts the background tasks of a service that publishes configuration and keyed digests."""

from collections.abc import Sequence

import asyncpg
from nats.aio.client import Client

from runtime.configuration import ConfigurationOutbox
from runtime.reconcile import ConfigurationSource, Reconciler
from runtime.service import Process
from services.domain.digest_migration import DigestMigration, UnkeyedDigests
from services.domain.pseudonyms import Pseudonyms


def start_publishing(
    process: Process,
    pool: "asyncpg.Pool[asyncpg.Record]",
    connection: Client,
    outbox: ConfigurationOutbox,
    keyed: Pseudonyms,
    unkeyed: UnkeyedDigests,
    *,
    owner: str,
    sources: Sequence[ConfigurationSource],
) -> DigestMigration:
    """Start the outbox, the reconciler and the migration of digests without a key; return the migration.

    owner: the service's schema. sources: what it publishes.
    """
    process.start(outbox.run(), name="outbox")
    reconciler = Reconciler(pool, connection, owner, sources)
    process.start(reconciler.run(), name="reconciler")
    migration = DigestMigration(pool, connection, outbox, reconciler, keyed, owner=owner, unkeyed=unkeyed)
    process.start(migration.run(), name="digest migration")
    return migration
