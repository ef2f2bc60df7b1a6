"""What the configuration bucket holds of realtime: raised epochs. See runtime.reconcile."""

from collections.abc import Sequence
from pathlib import Path

from runtime import postgres
from runtime.configuration import key_text
from runtime.reconcile import Reader, Source
from services import topology

OWNER = "realtime"

_SQL = postgres.Queries(Path(__file__).with_name("published.sql"))


async def _keys(reader: Reader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.epoch_ids, *(_parts(after) or ("", "")), limit)
    return [topology.epochs_key(row["tenant_id"], row["user_id"]) for row in rows]


async def _epochs(reader: Reader, keys: Sequence[str]) -> dict[str, bytes]:
    pairs = [parts for key in keys if (parts := _parts(key)) is not None]
    rows = await reader.fetch(_SQL.epochs, [tenant for tenant, _ in pairs], [user for _, user in pairs])
    return {topology.epochs_key(row["tenant_id"], row["user_id"]): str(row["epoch"]).encode() for row in rows}


SOURCES = (Source("epochs", _keys, _epochs),)


def _parts(key: str) -> tuple[str, str] | None:
    """Return tenant and user of a key, None for one that this service never writes."""
    if not key:
        return None
    _, tenant_id, *user = key.split(".")
    try:
        parts = tenant_id, key_text(user[0]) if user else ""
    except ValueError:
        return None
    return parts if topology.epochs_key(*parts) == key and "\0" not in parts[1] else None
