"""The teams of an account: environments of a tenant, remembered for a few seconds."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from clarion.router.v1 import catalogs_pb2
from gateway.clients import Clients
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid

# How long an answer is believed, seconds: that a team exists, and that it does not.
_FOUND_S, _MISSING_S = 10.0, 2.0
# The size of the memory. Teams that do not exist have one of their own, so that guesses do not evict customers.
MAX_REMEMBERED = 10_000
# In place of the id of a tenant's default environment.
_DEFAULT = ""


class _Known(NamedTuple):
    until: float
    id: str


class Teams:
    """Asks the router which environments a tenant has."""

    def __init__(self, clients: Clients, *, now: Callable[[], float] = time.monotonic) -> None:
        self._clients = clients
        self._now = now
        self._found: OrderedDict[tuple[str, str], _Known] = OrderedDict()
        self._missing: OrderedDict[tuple[str, str], _Known] = OrderedDict()

    async def has(self, tenant_id: str, team: str) -> bool:
        """Return whether the tenant has this environment. Raises UNAVAILABLE if nobody can say."""
        return is_uuid(team) and bool(await self._find(tenant_id, team))

    async def default(self, tenant_id: str) -> str:
        """Return the id of the tenant's default environment. Raises UNAVAILABLE."""
        return await self._find(tenant_id, _DEFAULT)

    async def _find(self, tenant_id: str, team: str) -> str:
        """Return the environment's id; empty: there is none. A known one stays known while the router is away."""
        asked = tenant_id, team
        known, missing = self._found.get(asked), self._missing.get(asked)
        if known is not None and self._now() < known.until:
            return known.id
        if missing is not None and self._now() < missing.until:
            return ""
        wire = catalogs_pb2.GetEnvironmentRequest(tenant_id=tenant_id, environment_id=team)
        try:
            answer = await self._clients.call(self._clients.catalogs.GetEnvironment, wire)
        except ClarionError as error:
            if error.code is Code.NOT_FOUND:
                self._found.pop(asked, None)
                self._remember(self._missing, asked, _Known(self._now() + _MISSING_S, ""))
                return ""
            if known is not None:
                return known.id
            raise
        self._remember(self._found, asked, _Known(self._now() + _FOUND_S, answer.environment.id))
        return answer.environment.id

    @staticmethod
    def _remember(memory: "OrderedDict[tuple[str, str], _Known]", asked: tuple[str, str], known: _Known) -> None:
        memory[asked] = known
        memory.move_to_end(asked)
        if len(memory) > MAX_REMEMBERED:
            memory.popitem(last=False)
