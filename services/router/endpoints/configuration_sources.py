"""The endpoints and subscribers in the configuration bucket. See runtime.reconcile."""

import uuid
from collections.abc import Sequence

from runtime.bucket_keys import key_part, key_text
from runtime.ids import is_uuid
from runtime.reconcile import ConfigurationSource, RowReader
from services.domain import topology
from services.router.endpoints import publication
from services.router.endpoints.publication import SQL, Part

_NO_ID = str(uuid.UUID(int=0))


async def _endpoint_keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(SQL.endpoint_keys, *(_endpoint(after) or (_NO_ID, _NO_ID)), limit)
    return [topology.endpoint_key(str(row["tenant_id"]), str(row["id"])) for row in rows]


async def _endpoints(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    return await publication.endpoint_values(reader, [part for key in keys if (part := _endpoint(key))])


async def _subscribers_keys(reader: RowReader, after: str, limit: int) -> list[str]:
    rows = await reader.fetch(SQL.subscribers_keys, *(type_of(after) or (_NO_ID, "")), limit)
    return [topology.subscribers_key(str(row["tenant_id"]), row["name"]) for row in rows]


async def _subscribers(reader: RowReader, keys: Sequence[str]) -> dict[str, bytes]:
    return await publication.subscribers_values(reader, [part for key in keys if (part := type_of(key))])


# A deleted key leaves no trace, because tenants may create and delete endpoints without an end. A list of subscribers
# may have some megabytes.
SOURCES = (
    ConfigurationSource(topology.ENDPOINTS, _endpoint_keys, _endpoints, batch=100, keeps_no_trace=True),
    ConfigurationSource(topology.SUBSCRIBERS, _subscribers_keys, _subscribers, batch=10, keeps_no_trace=True),
)


def _endpoint(key: str) -> Part | None:
    """Return the tenant and endpoint of a key; None: this service never writes such a key."""
    tenant_id, endpoint_id = _split(key)
    return (tenant_id, endpoint_id) if is_uuid(tenant_id) and is_uuid(endpoint_id) else None


def type_of(key: str) -> Part | None:
    """Return the tenant and type of a key of a type; None: this service never writes such a key."""
    tenant_id, part = _split(key)
    try:
        name = key_text(part)
    except ValueError:
        return None
    is_ours = is_uuid(tenant_id) and key_part(name) == part and "\0" not in name
    return (tenant_id, name) if is_ours else None


def _split(key: str) -> tuple[str, str]:
    tenant_id, _, rest = key.partition(".")[2].partition(".")
    return tenant_id, rest
