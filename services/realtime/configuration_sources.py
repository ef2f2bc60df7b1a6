"""Lists what the configuration bucket must contain for realtime: increased epochs. See runtime.reconcile."""

from collections.abc import Sequence
from pathlib import Path

from runtime import postgres
from runtime.reconcile import ConfigurationSource, RowReader
from services.domain import pseudonym_keys, topology

OWNER = "realtime"

_SQL = postgres.Queries(Path(__file__).with_name("configuration_sources.sql"))


async def _keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.epoch_ids, *_parts(after), limit)
    return [topology.revocation_key(row["tenant_id"], row["recipient"]) for row in rows]


async def _epochs(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    pairs = list(map(_parts, keys))
    rows = await reader.fetch(_SQL.epochs, [tenant for tenant, _ in pairs], [recipient for _, recipient in pairs])
    return {topology.revocation_key(row["tenant_id"], row["recipient"]): str(row["epoch"]).encode() for row in rows}


SOURCES = (
    ConfigurationSource(topology.REVOCATIONS, _keys, _epochs, keeps_no_trace=True),
    pseudonym_keys.source(OWNER),
)


def _parts(key: str) -> tuple[str, str]:
    """Return the tenant and recipient in a key. For a key of another form, the result matches no row."""
    tenant_id, _, recipient = key.partition(".")[2].partition(".")
    return tenant_id, recipient
