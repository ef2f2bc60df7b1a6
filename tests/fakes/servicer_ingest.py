"""Ingest behind the admin API, played by a test: its servicers answer what the test wants."""

from dataclasses import dataclass, field
from typing import Any

from clarion.ingest.v1 import (
    audit_pb2,
    audit_pb2_grpc,
    ingest_pb2,
    ingest_pb2_grpc,
    ledger_pb2,
    ledger_pb2_grpc,
    tenants_pb2,
    tenants_pb2_grpc,
)
from runtime.errors import ClarionError, Code
from runtime.ids import new_id


@dataclass
class Ingest(
    ingest_pb2_grpc.IngestServiceServicer,
    ledger_pb2_grpc.LedgerServiceServicer,
    tenants_pb2_grpc.TenantServiceServicer,
    audit_pb2_grpc.AuditServiceServicer,
):
    """What the admin API asks of ingest. events: in the ledger, with their tenants. inactive: some of the tenants.

    result: of each event that is to be accepted. accepted, audited: what it was given.
    """

    tenants: set[str] = field(default_factory=set)
    inactive: set[str] = field(default_factory=set)
    events: dict[str, str] = field(default_factory=dict)
    accepted: list[ingest_pb2.AcceptItem] = field(default_factory=list)
    result: ingest_pb2.AcceptResult = field(default_factory=ingest_pb2.AcceptResult)
    audited: list[audit_pb2.FinishAuditEntryRequest] = field(default_factory=list)

    async def AcceptEvents(self, request: ingest_pb2.AcceptEventsRequest, _: Any) -> ingest_pb2.AcceptEventsResponse:
        """Note the events, and answer the result."""
        self.accepted += request.items
        return ingest_pb2.AcceptEventsResponse(results=[self.result] * len(request.items))

    async def GetEvent(self, request: ledger_pb2.GetEventRequest, _: Any) -> ledger_pb2.GetEventResponse:
        """Return the event with its tenant."""
        if request.event_id not in self.events:
            raise ClarionError(Code.NOT_FOUND, "There is no event with this id.")
        summary = ledger_pb2.EventSummary(id=request.event_id, tenant_id=self.events[request.event_id])
        return ledger_pb2.GetEventResponse(event=summary)

    async def GetTenant(self, request: tenants_pb2.GetTenantRequest, _: Any) -> tenants_pb2.GetTenantResponse:
        """Return the tenant."""
        if request.tenant_id not in self.tenants:
            raise ClarionError(Code.NOT_FOUND, "There is no tenant with this id.")
        tenant = tenants_pb2.Tenant(id=request.tenant_id, active=request.tenant_id not in self.inactive)
        return tenants_pb2.GetTenantResponse(tenant=tenant)

    async def BeginAuditEntry(
        self, request: audit_pb2.BeginAuditEntryRequest, _: Any
    ) -> audit_pb2.BeginAuditEntryResponse:
        """Return an id."""
        return audit_pb2.BeginAuditEntryResponse(audit_entry_id=new_id())

    async def FinishAuditEntry(
        self, request: audit_pb2.FinishAuditEntryRequest, _: Any
    ) -> audit_pb2.FinishAuditEntryResponse:
        """Note it."""
        self.audited.append(request)
        return audit_pb2.FinishAuditEntryResponse()
