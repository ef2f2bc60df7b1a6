"""What refusals that gateways have counted become in the table: pure."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clarion.ingest.v1 import refusals_pb2
from services.domain.refused import BY_KEY_STATE, Refused

_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that a tenant has or had. id: of a further key. state: see clarion.ingest.v1.RefusedKey; or "inactive"."""

    tenant_id: str
    id: str
    last4: str
    state: str


@dataclass(slots=True)
class RefusalRow:
    """A row of ingest.refused_requests. counted: what it is made of, with the sum of the counts."""

    kind: bytes
    tenant_id: str
    key_id: str
    key_prefix: str
    key_last4: str
    key_state: str
    reason: str
    counted: refusals_pb2.CountedRefusals


def rows(
    counted: Iterable[refusals_pb2.CountedRefusals], keys: Mapping[bytes, KnownKey], secret: bytes
) -> list[RefusalRow]:
    """Return the rows, alike ones as one. keys: those that are known, by digest. secret: keys the rows' digests."""
    found: dict[bytes, RefusalRow] = {}
    for one in counted:
        row = _row(one, keys.get(one.key_digest), secret)
        before = found.setdefault(row.kind, row)
        if before is not row:
            _add(before.counted, one)
    return list(found.values())


def _row(one: refusals_pb2.CountedRefusals, key: KnownKey | None, secret: bytes) -> RefusalRow:
    if not one.key_digest:
        tenant_id, key_id, prefix, last4, state = one.tenant_id, "", "", "", ""
    elif key is None:
        tenant_id, key_id, prefix, last4, state = one.tenant_id, "", one.key_prefix, one.key_last4, "unknown"
    else:
        tenant_id, key_id, prefix, last4, state = key.tenant_id, key.id, "", key.last4, key.state
    reason = one.reason
    if reason == Refused.KEY_UNKNOWN or (state == "disabled" and reason == Refused.FORBIDDEN):
        reason = BY_KEY_STATE.get(state, Refused.KEY_UNKNOWN).value
    # Where a tenant's own key comes from says nothing.
    network = "" if state == "valid" else one.network
    merged = refusals_pb2.CountedRefusals()
    merged.CopyFrom(one)
    merged.network = network
    parts = [
        tenant_id,
        one.key_digest.hex(),
        network,
        one.method,
        one.route,
        str(one.status),
        reason,
        str(one.first_at_us // _MINUTE_US),
    ]
    kind = hmac.digest(secret, "\x1f".join(parts).encode(), hashlib.sha256)
    return RefusalRow(kind, tenant_id, key_id, prefix, last4, "valid" if state == "inactive" else state, reason, merged)


def _add(row: refusals_pb2.CountedRefusals, one: refusals_pb2.CountedRefusals) -> None:
    row.count += one.count
    row.first_at_us = min(row.first_at_us, one.first_at_us)
    row.last_at_us = max(row.last_at_us, one.last_at_us)
