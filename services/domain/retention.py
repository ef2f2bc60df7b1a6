"""How long each tenant's data is kept."""

import msgspec
from prometheus_client import Counter

PREFIX = "retention"

EXPIRED = Counter("clarion_expired_total", "Rows deleted because their tenant's days were over.", ["kind"])


def key(tenant_id: str) -> str:
    """Return the configuration key of a tenant's policy; its value is the JSON of RetentionPolicy."""
    return f"{PREFIX}.{tenant_id}"


class RetentionPolicy(msgspec.Struct, frozen=True):
    """One tenant's days; 0: the installation's default. discard_content: what it sends is not stored."""

    events_days: int = 0
    payload_days: int = 0
    inbox_days: int = 0
    outbox_days: int = 0
    discard_content: bool = False


DAYS = ("events_days", "payload_days", "inbox_days", "outbox_days")


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

    def keeps_content(self, tenant_id: str) -> bool:
        """Return whether what this tenant sends is stored with the attempt, as far as the tenant decides."""
        policy = self._by_tenant.get(tenant_id)
        return policy is None or not policy.discard_content

    def content_days(self, tenant_id: str, default: int) -> int:
        """Return for how many days it is stored. default: of the installation; 0: it stores nothing."""
        policy = self._by_tenant.get(tenant_id)
        if policy is None or not default:
            return default
        return 0 if policy.discard_content else policy.payload_days or default

    def own_content_days(self) -> dict[str, int]:
        """Return the days by tenant, of the tenants that have their own; 0: nothing is stored."""
        return {
            tenant: 0 if policy.discard_content else policy.payload_days
            for tenant, policy in self._by_tenant.items()
            if policy.discard_content or policy.payload_days
        }
