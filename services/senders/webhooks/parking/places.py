"""Bounds the attempts that are under way of rows: for each tenant, and in all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Tenant:
    places: asyncio.Semaphore
    users: int = 0


class Places:
    """At most per_tenant holders of a tenant and most in all, in the order in which they came."""

    def __init__(self, most: int, per_tenant: int) -> None:
        self._all = asyncio.Semaphore(most)
        self._per_tenant = per_tenant
        self._tenants: dict[str, _Tenant] = {}

    @asynccontextmanager
    async def of(self, tenant_id: str) -> AsyncIterator[None]:
        """Hold a place for the length of a block."""
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            tenant = self._tenants[tenant_id] = _Tenant(asyncio.Semaphore(self._per_tenant))
        tenant.users += 1
        try:
            async with tenant.places, self._all:
                yield
        finally:
            tenant.users -= 1
            if not tenant.users:
                self._tenants.pop(tenant_id, None)
