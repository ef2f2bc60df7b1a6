"""What the configuration bucket holds of senders: providers, and endpoints in trouble. See runtime.reconcile."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from runtime import postgres
from runtime.ids import is_uuid
from runtime.reconcile import ConfigurationSource, RowReader
from services.domain import topology
from services.senders.store import published
from services.senders.webhooks.parking.records import published as endpoint_state
from services.senders.webhooks.parking.records import read_key, state_key

OWNER = "senders"

_SQL = postgres.Queries(Path(__file__).with_name("configuration_sources.sql"))


async def _keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.tenant_ids, _tenant(after), limit)
    return [topology.providers_key(row["tenant_id"]) for row in rows]


async def _providers(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    rows = await reader.fetch(_SQL.providers, [_tenant(key) for key in keys])
    return {
        topology.providers_key(tenant_id): published(list(found))
        for tenant_id, found in groupby(rows, lambda row: row["tenant_id"])
    }


async def _state_keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(_SQL.endpoint_states, after.partition(".")[2], limit)
    return [topology.endpoint_state_key(row["tenant_id"], row["endpoint_id"]) for row in rows]


async def _states(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    ids = [key.split(".")[1:] for key in keys]
    known = [one for one in ids if len(one) == 2 and all(map(is_uuid, one))]
    rows = await reader.fetch(_SQL.endpoint_state_values, [one[0] for one in known], [one[1] for one in known])
    values = {
        state_key(read_key(row)): endpoint_state(row["state"], row["since_us"], is_full=row["is_full"]) for row in rows
    }
    return {key: value for key, value in values.items() if value is not None}


# A tenant has at most a hundred providers.
SOURCES = (
    ConfigurationSource("providers", _keys, _providers, batch=50),
    ConfigurationSource(topology.ENDPOINT_STATES, _state_keys, _states),
)


def _tenant(key: str) -> str:
    return key.partition(".")[2]
