"""Senders and ingest behind the webhooks of the admin API and of the portal, played by a test in memory.

As the real ones do, they answer NOT_FOUND for what belongs to another tenant.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import (
    ingest_pb2,
    keys_pb2,
    keys_pb2_grpc,
    ledger_pb2,
    replays_pb2,
    replays_pb2_grpc,
    tenants_pb2,
)
from clarion.senders.v1 import endpoints_pb2 as parking_pb2
from clarion.senders.v1 import endpoints_pb2_grpc as parking_pb2_grpc
from clarion.senders.v1 import senders_pb2, senders_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from tests.fakes.servicer_endpoints import NOW_US, not_found
from tests.fakes.servicer_ingest import Ingest


@dataclass
class Senders(parking_pb2_grpc.ParkingServiceServicer, senders_pb2_grpc.ProviderServiceServicer):
    """What waits. polled: of an endpoint that is polled."""

    state: parking_pb2.GetEndpointStateResponse = field(default_factory=parking_pb2.GetEndpointStateResponse)
    parked: list[parking_pb2.ParkedDelivery] = field(default_factory=list)
    polled: list[parking_pb2.PolledDelivery] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    async def GetEndpointState(self, request: Any, _: Any) -> parking_pb2.GetEndpointStateResponse:
        """Return the state."""
        self.asked.append(request)
        return self.state

    async def ListParked(self, request: Any, _: Any) -> parking_pb2.ListParkedResponse:
        """Return what waits."""
        self.asked.append(request)
        return parking_pb2.ListParkedResponse(deliveries=self.parked)

    async def SkipParked(self, request: Any, _: Any) -> parking_pb2.SkipParkedResponse:
        """Answer how many."""
        self.asked.append(request)
        return parking_pb2.SkipParkedResponse(skipped=len(request.delivery_ids) or 1)

    async def ProbeEndpoint(self, request: Any, _: Any) -> parking_pb2.ProbeEndpointResponse:
        """Note it."""
        self.asked.append(request)
        return parking_pb2.ProbeEndpointResponse()

    async def Poll(self, request: Any, _: Any) -> parking_pb2.PollResponse:
        """Return what waits."""
        self.asked.append(request)
        return parking_pb2.PollResponse(deliveries=self.polled, cursor="next", done=True)

    async def RenewSecrets(self, _request: Any, _: Any) -> senders_pb2.RenewSecretsResponse:
        """Answer none."""
        return senders_pb2.RenewSecretsResponse()


@dataclass
class WebhookIngest(Ingest, keys_pb2_grpc.KeyServiceServicer, replays_pb2_grpc.ReplayServiceServicer):
    """Ledger, keys and replays. deliveries: with their tenants. keys: by the key itself.

    further_keys: those that were created here.
    """

    deliveries: dict[str, tuple[str, ledger_pb2.DeliverySummary]] = field(default_factory=dict)
    attempts: list[ledger_pb2.Attempt] = field(default_factory=list)
    keys: dict[str, ingest_pb2.AuthenticateResponse] = field(default_factory=dict)
    further_keys: list[keys_pb2.Key] = field(default_factory=list)
    begun: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    async def BeginAuditEntry(self, request: Any, context: Any) -> Any:
        """Note it, and answer an id."""
        self.begun.append(request)
        return await super().BeginAuditEntry(request, context)

    def add_delivery(self, tenant_id: str, endpoint_id: str, **fields: Any) -> str:
        """Store a delivery; return its id."""
        delivery = ledger_pb2.DeliverySummary(
            id=new_id(),
            event_id=new_id(),
            channel=event_pb2.CHANNEL_WEBHOOK,
            endpoint_id=endpoint_id,
            created_at_us=NOW_US,
            has_content=True,
            **{"status": trace_pb2.DELIVERY_STATUS_DEAD, "event_type": "order.shipped", **fields},
        )
        self.deliveries[delivery.id] = (tenant_id, delivery)
        return delivery.id

    def _delivery(self, request: Any) -> ledger_pb2.DeliverySummary:
        tenant_id, delivery = self.deliveries.get(request.delivery_id, ("", None))
        if delivery is None or request.tenant_id not in ("", tenant_id):
            raise not_found()
        return delivery

    async def GetDelivery(self, request: Any, _: Any) -> ledger_pb2.GetDeliveryResponse:
        """Return it with one step."""
        delivery = self._delivery(request)
        steps = [
            ledger_pb2.TimelineStep(step="dead", at_us=NOW_US, http=attempt.http, channel=delivery.channel)
            for attempt in self.attempts
        ]
        tenant_id = self.deliveries[delivery.id][0]
        return ledger_pb2.GetDeliveryResponse(delivery=delivery, tenant_id=tenant_id, steps=steps)

    async def ListEndpointDeliveries(self, request: Any, _: Any) -> ledger_pb2.ListEndpointDeliveriesResponse:
        """Return those of the tenant and the endpoint."""
        self.asked.append(request)
        found = [
            one
            for tenant_id, one in self.deliveries.values()
            if tenant_id == request.tenant_id and request.endpoint_id in ("", one.endpoint_id)
        ]
        return ledger_pb2.ListEndpointDeliveriesResponse(deliveries=found)

    async def ListAttempts(self, request: Any, _: Any) -> ledger_pb2.ListAttemptsResponse:
        """Return the attempts."""
        self._delivery(request)
        return ledger_pb2.ListAttemptsResponse(attempts=self.attempts)

    async def RetryDelivery(self, request: Any, _: Any) -> ledger_pb2.RetryDeliveryResponse:
        """Queue it."""
        delivery = self._delivery(request)
        if delivery.status != trace_pb2.DELIVERY_STATUS_DEAD:
            raise ClarionError(Code.CONFLICT, "The delivery is neither failed nor dead.")
        delivery.status = trace_pb2.DELIVERY_STATUS_QUEUED
        return ledger_pb2.RetryDeliveryResponse(delivery=delivery)

    async def StartReplay(self, request: Any, _: Any) -> replays_pb2.StartReplayResponse:
        """Answer a replay."""
        self.asked.append(request)
        replay = replays_pb2.Replay(
            id=new_id(),
            tenant_id=request.tenant_id,
            since_us=request.since_us,
            until_us=NOW_US,
            status=request.status,
            per_second=request.per_second,
            endpoint_id=request.endpoint_id,
            event_type=request.event_type,
            state=replays_pb2.REPLAY_STATE_RUNNING,
            created_at_us=NOW_US,
        )
        return replays_pb2.StartReplayResponse(replay=replay)

    async def Authenticate(self, request: Any, _: Any) -> ingest_pb2.AuthenticateResponse:
        """Return what the key is good for."""
        if request.api_key not in self.keys:
            raise ClarionError(Code.UNAUTHENTICATED, "The key is unknown.")
        return self.keys[request.api_key]

    async def CreateKey(self, request: Any, _: Any) -> keys_pb2.CreateKeyResponse:
        """Answer a key."""
        self.asked.append(request)
        api_key = request.prefix + secrets.token_hex(32)
        key = keys_pb2.Key(
            id=new_id(),
            tenant_id=request.tenant_id,
            name=request.name,
            kind=request.kind,
            endpoint_ids=request.endpoint_ids,
            rates=request.rates,
            last4=api_key[-4:],
            created_at_us=NOW_US,
        )
        self.further_keys.append(key)
        return keys_pb2.CreateKeyResponse(key=key, api_key=api_key)

    async def ListKeys(self, request: Any, _: Any) -> keys_pb2.ListKeysResponse:
        """Answer those that were created."""
        return keys_pb2.ListKeysResponse(keys=[key for key in self.further_keys if key.tenant_id == request.tenant_id])

    async def UpdateKey(self, request: Any, _: Any) -> keys_pb2.UpdateKeyResponse:
        """Answer the key."""
        self.asked.append(request)
        key = keys_pb2.Key(id=request.key_id, tenant_id=request.tenant_id, disabled=request.disabled)
        key.rates.extend(request.rates.rates)
        key.created_at_us = NOW_US
        return keys_pb2.UpdateKeyResponse(key=key)

    async def RenewWebhookSecrets(self, _request: Any, _: Any) -> Any:
        """Answer none."""
        return tenants_pb2.RenewWebhookSecretsResponse()
