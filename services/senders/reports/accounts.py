"""Finds the provider of a callback URL."""

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
from services.senders.ports import ProviderDirectory, ProviderRecord
from services.senders.reports.kinds import REPORT_READERS
from services.senders.reports.ports import ReportReader

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))
_MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Account:
    """A provider that sends reports. credentials: its settings with secrets; never show them."""

    tenant_id: str
    provider_id: str
    kind: str
    channel: event_pb2.Channel.ValueType
    report_reader: ReportReader
    credentials: dict[str, Any]


class Accounts:
    """Finds providers by their id alone; their tenants are cached."""

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        directory: ProviderDirectory,
        open_secrets: Callable[[ProviderRecord], dict[str, str]],
    ) -> None:
        self._pool = pool
        self._directory = directory
        self._open_secrets = open_secrets
        # A provider never changes its tenant.
        self._tenants: dict[str, str] = {}

    async def find(self, provider_id: str) -> Account:
        """Return the provider. Raises NOT_FOUND (also if its kind sends no reports), UNAVAILABLE."""
        tenant_id = await self._tenant(provider_id) if is_uuid(provider_id) else ""
        record = await self._directory.provider(tenant_id, provider_id) if tenant_id else None
        report_reader = REPORT_READERS.get(record.kind) if record is not None else None
        if record is None or report_reader is None:
            raise unknown()
        try:
            secrets = self._open_secrets(record)
        except ValueError:  # no key decrypts them, so no signature can be verified
            secrets = {}
        channel = channels.BY_PUBLIC_NAME[record.channel]
        return Account(tenant_id, provider_id, record.kind, channel, report_reader, {**record.settings, **secrets})

    async def _tenant(self, provider_id: str) -> str:
        known = self._tenants.get(provider_id)
        if known is None:
            with postgres.unavailable_while_down():
                known = await self._pool.fetchval(_SQL.tenant_of_provider, provider_id)
            if known is None:
                return ""
            if len(self._tenants) >= _MAX_REMEMBERED:
                self._tenants.clear()
            self._tenants[provider_id] = known
        return known


def unknown() -> ClarionError:
    """Return the error for every wrong URL: it does not tell which part is wrong."""
    return ClarionError(Code.NOT_FOUND, "The callback URL does not exist.")
