"""The provider behind a callback's URL."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from clarion.common.v1 import event_pb2
from runtime import postgres
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain import channels
from services.senders.ports import Directory, ProviderRecord
from services.senders.reports.kinds import REPORTERS
from services.senders.reports.ports import Reporter

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Account:
    """A provider that reports. credentials: its settings, secrets among them; never to be shown."""

    tenant_id: str
    provider_id: str
    kind: str
    channel: event_pb2.Channel.ValueType
    reporter: Reporter
    credentials: dict[str, Any]


class Accounts:
    """Finds providers by their id alone, from memory after the first time."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        directory: Directory,
        open_secrets: Callable[[ProviderRecord], dict[str, str]],
    ) -> None:
        self._pool = pool
        self._directory = directory
        self._open_secrets = open_secrets
        # A provider never changes its tenant.
        self._tenants: dict[str, str] = {}

    async def find(self, provider_id: str) -> Account:
        """Return the provider. Raises NOT_FOUND: there is none, or its kind does not report; UNAVAILABLE."""
        tenant_id = await self._tenant(provider_id) if is_uuid(provider_id) else ""
        record = await self._directory.provider(tenant_id, provider_id) if tenant_id else None
        reporter = REPORTERS.get(record.kind) if record is not None else None
        if record is None or reporter is None:
            raise unknown()
        try:
            secrets = self._open_secrets(record)
        except ValueError:  # its key is gone: nothing that needs it can be checked
            secrets = {}
        channel = channels.BY_PUBLIC_NAME[record.channel]
        return Account(tenant_id, provider_id, record.kind, channel, reporter, {**record.settings, **secrets})

    async def _tenant(self, provider_id: str) -> str:
        known = self._tenants.get(provider_id)
        if known is None:
            with postgres.answering():
                known = await self._pool.fetchval(_SQL.tenant_of_provider, provider_id)
            if known is None:
                return ""
            if len(self._tenants) >= _MAX_REMEMBERED:
                self._tenants.clear()
            self._tenants[provider_id] = known
        return known


def unknown() -> ClarionError:
    """Return the one answer to whoever does not know the whole URL."""
    return ClarionError(Code.NOT_FOUND, "There is no such callback.")
