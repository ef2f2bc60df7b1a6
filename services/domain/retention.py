"""How long each tenant's data is kept."""

import msgspec
from prometheus_client import Counter

PREFIX = "retention"

EXPIRED = Counter("clarion_expired_total", "Rows deleted because their tenant's days were over.", ["kind"])


def key(tenant_id: str) -> str:
    """Return the configuration key of a tenant's policy; its value is the JSON of RetentionPolicy."""
    return f"{PREFIX}.{tenant_id}"


class RetentionPolicy(msgspec.Struct, frozen=True):
    """One tenant's days; 0: the installation's default."""

    events_days: int = 0
    payload_days: int = 0
    inbox_days: int = 0
    outbox_days: int = 0


_decode = msgspec.json.Decoder(RetentionPolicy).decode


class RetentionPolicies:
    """The policies of the tenants that have their own, kept up to date by the configuration's watch."""

    def __init__(self) -> None:
        self._by_tenant: dict[str, RetentionPolicy] = {}

    def on_change(self, changed: str, value: bytes | None) -> None:
        """Apply a change of the configuration; ignores other keys and unreadable values."""
        prefix, _, tenant_id = changed.partition(".")
        if prefix != PREFIX:
            return
        try:
            policy = _decode(value) if value is not None else RetentionPolicy()
        except msgspec.MsgspecError:
            return
        if policy == RetentionPolicy():
            self._by_tenant.pop(tenant_id, None)
        else:
            self._by_tenant[tenant_id] = policy

    def inbox_days(self) -> dict[str, int]:
        """Return the days by tenant, of the tenants that have their own."""
        return {tenant: policy.inbox_days for tenant, policy in self._by_tenant.items() if policy.inbox_days}

    def outbox_days(self) -> dict[str, int]:
        """Return the days by tenant, of the tenants that have their own."""
        return {tenant: policy.outbox_days for tenant, policy in self._by_tenant.items() if policy.outbox_days}
