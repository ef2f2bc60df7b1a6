"""Endpoints and subscribers as they are published: queries and values. See services.domain.endpoints."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import msgspec

from clarion.router.v1 import endpoints_pb2
from runtime import postgres
from runtime.clock import micros_of
from services.domain import endpoints, topology

SQL = postgres.Queries(Path(__file__).with_name("publication.sql"))

KINDS = {
    endpoints_pb2.ENDPOINT_KIND_WEBHOOK: endpoints.WEBHOOK,
    endpoints_pb2.ENDPOINT_KIND_SLACK: endpoints.SLACK,
}
MODES = {
    endpoints_pb2.ENDPOINT_MODE_PUSH: endpoints.PUSH,
    endpoints_pb2.ENDPOINT_MODE_ORDERED: endpoints.ORDERED,
    endpoints_pb2.ENDPOINT_MODE_POLLED: endpoints.POLLED,
}

# A row of one of the queries: columns by name.
Row: TypeAlias = Any
# A tenant's id, and an endpoint's id or an event type's name.
Part: TypeAlias = tuple[str, str]

_encode = msgspec.json.Encoder().encode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Reader(Protocol):
    """Reads rows: a connection, or runtime.reconcile.RowReader."""

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Row]:
        """Return all rows."""


async def endpoint_values(reader: Reader, wanted: Iterable[Part]) -> dict[str, bytes]:
    """Return what is to be published for the endpoints that exist, by key. wanted: tenants and endpoints."""
    columns = _columns(wanted)
    if not columns[0]:
        return {}
    rows = await reader.fetch(SQL.endpoints, *columns)
    secrets = _grouped(await reader.fetch(SQL.secrets, *columns), lambda row: (row["tenant_id"], row["endpoint_id"]))
    return {
        topology.endpoint_key(str(row["tenant_id"]), str(row["id"])): _encode(
            _endpoint(row, secrets.get((row["tenant_id"], row["id"]), ()))
        )
        for row in rows
    }


async def subscribers_values(reader: Reader, wanted: Iterable[Part]) -> dict[str, bytes]:
    """Return what is to be published for the event types that somebody gets, by key. wanted: tenants and names."""
    columns = _columns(wanted)
    if not columns[0]:
        return {}
    rows = await reader.fetch(SQL.subscribers, *columns)
    return {
        topology.subscribers_key(str(tenant_id), name): _encode([_subscriber(row) for row in found])
        for (tenant_id, name), found in _grouped(rows, lambda row: (row["tenant_id"], row["name"])).items()
    }


def _endpoint(row: Row, secrets: Iterable[Row]) -> endpoints.Endpoint:
    return endpoints.Endpoint(
        id=str(row["id"]),
        environment_id=str(row["environment_id"]),
        application_id=str(row["application_id"] or ""),
        kind=KINDS[row["kind"]],
        mode=MODES[row["mode"]],
        url=row["url"],
        active=row["is_active"],
        secrets=tuple(
            endpoints.SigningSecret(
                str(one["id"]), one["ciphertext"], micros_of(one["expires_at"]) if one["expires_at"] else 0
            )
            for one in secrets
        ),
        sealed_headers=row["sealed_headers"],
        sealed_auth=row["sealed_auth"],
        config=_decode_object(row["config"]),
        rate_per_s=row["rate_per_s"],
        batch_size=row["batch_size"],
        retry_delays_s=tuple(row["retry_delays_s"]),
        revision=row["revision"],
    )


def _subscriber(row: Row) -> endpoints.Subscriber:
    return endpoints.Subscriber(str(row["endpoint_id"]), str(row["environment_id"]), row["filter"])


def _columns(wanted: Iterable[Part]) -> tuple[list[str], list[str]]:
    parts = list(wanted)
    return [tenant_id for tenant_id, _ in parts], [rest for _, rest in parts]


def _grouped(rows: Sequence[Row], of: Callable[[Row], Any]) -> Mapping[Any, list[Row]]:
    """Return the rows by what they belong to; they are in that order."""
    return {key: list(found) for key, found in groupby(rows, of)}
