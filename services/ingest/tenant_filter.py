"""Which tenants a list is for: one, or some, or all."""

from collections.abc import Sequence

from services.domain.checks import check_id, invalid

MAX_TENANTS = 1_000


def tenant_ids_of(tenant_id: str, tenant_ids: Sequence[str]) -> list[str] | None:
    """Return the tenants that a request names; None: any. Both fields: what both allow. Raises INVALID."""
    check_id("tenant_id", tenant_id, required=False)
    if len(tenant_ids) > MAX_TENANTS:
        raise invalid("tenant_ids", f"must be at most {MAX_TENANTS}")
    for one in tenant_ids:
        check_id("tenant_ids", one)
    if not tenant_id:
        return list(tenant_ids) or None
    return [tenant_id] if not tenant_ids or tenant_id in tenant_ids else []
