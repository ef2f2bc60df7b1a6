"""Rows of PostgreSQL as values, and values as columns."""

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
import msgspec
from google.protobuf.message import DecodeError

from clarion.common.v1 import event_pb2
from runtime import logs
from services.domain import endpoints, topology
from services.senders.webhooks.parking import breaker
from services.senders.webhooks.parking.breaker import Health
from services.senders.webhooks.parking.ports import EndpointKey, EndpointState, Row

_STATE_NAMES: dict[int, str] = {breaker.OPEN: endpoints.OPEN, breaker.DRAINING: endpoints.DRAINING}
_encode = msgspec.json.Encoder(order="sorted").encode

log = logs.get(__name__)


def columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Return the columns of rows, as unnest takes them."""
    return [list(column) for column in zip(*rows, strict=True)]


def key_columns(keys: Iterable[EndpointKey]) -> list[list[str]]:
    """Return the columns of endpoints, each once and in order."""
    return columns(sorted(set(keys)))


def read_row(record: asyncpg.Record) -> Row | None:
    """Return the row; None: it cannot be read. It must not stop the others."""
    try:
        delivery = event_pb2.Delivery.FromString(record["delivery"])
    except DecodeError:
        log.exception("parked_unreadable", delivery_id=str(record["delivery_id"]))
        return None
    return Row(
        record["sequence"],
        delivery,
        record["due_us"],
        record["parked_us"],
        record["revision"],
        record["probes"],
        record["reason"],
    )


def first_id(at_us: int) -> str:
    """Return the first id that an event of this time, or a delivery of it, can have."""
    return str(uuid.UUID(int=(at_us // 1000) << 80))


def read_key(record: asyncpg.Record) -> EndpointKey:
    """Return the endpoint."""
    return EndpointKey(str(record["tenant_id"]), str(record["endpoint_id"]))


def read_state(record: asyncpg.Record) -> EndpointState:
    """Return an endpoint's state."""
    health = Health(
        state=record["state"],
        since_us=record["since_us"],
        failures=record["failures"],
        first_failure_us=record["first_failure_us"],
        failing_since_us=record["failing_since_us"],
        probes=record["probes"],
        next_probe_us=record["next_probe_us"],
        is_quiet=record["is_quiet"],
    )
    return EndpointState(
        read_key(record),
        health,
        record["parked"],
        record["is_full"],
        record["held_until_us"],
        record.get("unsure_before_us", 0),
    )


def published(state: int, since_us: int, *, is_full: bool) -> bytes | None:
    """Return the value of topology.endpoint_state_key; None: there is nothing to tell."""
    name = _STATE_NAMES.get(state, "")
    if not name and not is_full:
        return None
    return _encode(endpoints.State(name, since_us if name else 0, is_full))


def state_key(key: EndpointKey) -> str:
    """Return the configuration key of an endpoint's state."""
    return topology.endpoint_state_key(key.tenant_id, key.endpoint_id)
