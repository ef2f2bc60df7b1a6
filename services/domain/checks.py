"""Checks of requests that several services make: pure."""

from collections.abc import Sequence

from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid


def invalid(field: str, description: str) -> ClarionError:
    """Return the error for one wrong field. description: goes on after the field's name, "must not be empty"."""
    return ClarionError(Code.INVALID, f"{field} {description}", fields=[(field, description)])


# The tenants that a list may be limited to.
MAX_TENANT_IDS = 2000


def check_tenant_ids(tenant_ids: Sequence[str]) -> list[str] | None:
    """Return the tenants that a list is limited to, None for no limit. Raises INVALID."""
    if len(tenant_ids) > MAX_TENANT_IDS:
        raise invalid("tenant_ids", f"must be at most {MAX_TENANT_IDS:,}")
    for tenant_id in tenant_ids:
        check_id("tenant_ids", tenant_id)
    return list(tenant_ids) or None


def tenants_of(tenant_id: str, *some: Sequence[str]) -> list[str] | None:
    """Return the tenants that a request is limited to by one id and by lists, None for no limit. Raises INVALID.

    An empty id or list limits nothing; otherwise only what all of them allow is left.
    """
    check_id("tenant_id", tenant_id, required=False)
    found = [tenant_id] if tenant_id else None
    for tenant_ids in some:
        if (allowed := check_tenant_ids(tenant_ids)) is not None:
            found = allowed if found is None else [one for one in found if one in allowed]
    return found


def check_id(field: str, value: str, *, required: bool = True) -> None:
    """Check that a field is an id. Raises INVALID; what is not required may be empty."""
    if (value or required) and not is_uuid(value):
        raise invalid(field, "must be a UUID in lower case")
