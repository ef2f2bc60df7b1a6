"""What a delivery worker works with: a far side that does as it is told, render and the ledger, and deliveries."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import claims_pb2, claims_pb2_grpc, ledger_pb2, ledger_pb2_grpc
from clarion.render.v1 import render_pb2, render_pb2_grpc
from runtime import nats
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id, new_id
from services.delivery.ports import SendResult, Verdict
from services.domain import topology
from services.ingest.claims.store import Claim
from tests.fakes.claims import MemoryClaims

SMS = event_pb2.CHANNEL_SMS


@dataclass
class Neighbours(
    render_pb2_grpc.RenderServiceServicer,
    ledger_pb2_grpc.LedgerServiceServicer,
    claims_pb2_grpc.ClaimServiceServicer,
):
    """Render and the ledger. rendered: what each item becomes; states: of deliveries the ledger knows."""

    rendered: render_pb2.RenderResult = field(
        default_factory=lambda: render_pb2.RenderResult(content=render_pb2.Content(text="Hello"))
    )
    states: dict[str, trace_pb2.DeliveryStatus.ValueType] = field(default_factory=dict)
    claims: MemoryClaims = field(default_factory=MemoryClaims)
    render_away: bool = False
    ledger_away: bool = False
    # What the ledger has of events, by id; and what was rendered.
    bodies: dict[str, ledger_pb2.GetEventBodyResponse] = field(default_factory=dict)
    items: list[render_pb2.RenderItem] = field(default_factory=list)
    requests: list[render_pb2.RenderBatchRequest] = field(default_factory=list)

    async def RenderBatch(  # noqa: N802
        self, request: render_pb2.RenderBatchRequest, _: Any
    ) -> render_pb2.RenderBatchResponse:
        """The same for all."""
        if self.render_away:
            raise ClarionError(Code.UNAVAILABLE, "away")
        self.items += request.items
        self.requests.append(request)
        return render_pb2.RenderBatchResponse(results=[self.rendered] * len(request.items))

    async def GetDeliveryStates(  # noqa: N802
        self, request: ledger_pb2.GetDeliveryStatesRequest, _: Any
    ) -> ledger_pb2.GetDeliveryStatesResponse:
        """As told."""
        if self.ledger_away:
            raise ClarionError(Code.UNAVAILABLE, "away")
        unknown = trace_pb2.DELIVERY_STATUS_UNSPECIFIED
        return ledger_pb2.GetDeliveryStatesResponse(
            states=[self.states.get(id_, unknown) for id_ in request.delivery_ids]
        )

    async def ClaimDeliveries(  # noqa: N802
        self, request: claims_pb2.ClaimDeliveriesRequest, _: Any
    ) -> claims_pb2.ClaimDeliveriesResponse:
        """By the states, which are those of the first round, and the claims so far."""
        if self.ledger_away:
            raise ClarionError(Code.UNAVAILABLE, "away")
        self.claims.known = {id_: (status, 0) for id_, status in self.states.items()}
        answers = await self.claims.claim([Claim(one.delivery_id, one.replay, one.token) for one in request.claims])
        return claims_pb2.ClaimDeliveriesResponse(
            states=[
                claims_pb2.ClaimState(
                    status=trace_pb2.DeliveryStatus.ValueType(answer.status),
                    is_held_by_another=answer.is_held_by_another,
                )
                for answer in answers
            ]
        )

    async def GetEventBody(  # noqa: N802
        self, request: ledger_pb2.GetEventBodyRequest, _: Any
    ) -> ledger_pb2.GetEventBodyResponse:
        """As told."""
        if self.ledger_away:
            raise ClarionError(Code.UNAVAILABLE, "away")
        if request.event_id not in self.bodies:
            raise ClarionError(Code.NOT_FOUND, "not kept")
        return self.bodies[request.event_id]


@dataclass
class FarSide:
    """Implements services.delivery.rendered.MessageSender.

    answers: what it says to each attempt in turn, the last one for ever. hung: tenants whose attempts hang until free.
    """

    answers: Sequence[SendResult | Exception] = field(default_factory=lambda: [SendResult(Verdict.SENT, "test")])
    hung: set[str] = field(default_factory=set)
    # Delivery and attempt, in order, and when (Unix seconds).
    calls: list[tuple[str, int, float]] = field(default_factory=list)
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def slot(self, delivery: event_pb2.Delivery) -> str:
        """One for each tenant."""
        return delivery.tenant_id

    async def send(self, delivery: event_pb2.Delivery, message: render_pb2.Content) -> SendResult:
        """Note the call and answer it."""
        self.calls.append((delivery.id, delivery.attempt, time.time()))
        answer = self.answers[min(sum(id_ == delivery.id for id_, *_ in self.calls), len(self.answers)) - 1]
        if delivery.tenant_id in self.hung:
            await self.free.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def attempted(self) -> list[str]:
        """The ids of the deliveries, in the order of their attempts."""
        return [id_ for id_, *_ in self.calls]


def delivery(tenant_id: str = "", **fields: Any) -> event_pb2.Delivery:
    """A text message as the router makes it, just now."""
    event_id, now_us = new_id(), time.time_ns() // 1000
    defaults: dict[str, Any] = {
        "id": derived_id(event_id),
        "event_id": event_id,
        "tenant_id": tenant_id or new_id(),
        "channel": SMS,
        "template_version_id": new_id(),
        "accepted_at_us": now_us,
        "planned_at_us": now_us,
        "attempt": 1,
    }
    return event_pb2.Delivery(**{**defaults, **fields})


def queued(one: event_pb2.Delivery) -> nats.Outgoing:
    """Its message."""
    return nats.Outgoing(topology.delivery_subject(SMS, one.tenant_id), one.SerializeToString(), one.id)
