"""Calls of the services' own gRPC APIs, where the HTTP APIs would be too slow to prepare a check."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import grpc.aio

from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from clarion.router.v1 import (
    recipients_pb2,
    recipients_pb2_grpc,
    schedules_pb2,
    schedules_pb2_grpc,
    segments_pb2,
    segments_pb2_grpc,
    workflows_pb2,
    workflows_pb2_grpc,
)
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller, channel
from stack.client import Running

_DEADLINE_S = 20.0
# The most of one call, and the calls at a time.
_EVENTS, _RECIPIENTS, _MEMBERS = 256, 100, 500
_AT_A_TIME = 4
_PAUSE_S = 0.5

T = TypeVar("T")


class Services:
    """Stores recipients and schedules, and accepts events. Raises ClarionError."""

    def __init__(self, token: str, ingest: grpc.aio.Channel, router: grpc.aio.Channel) -> None:
        self._call = Caller(token)
        self._ingest = ingest_pb2_grpc.IngestServiceStub(ingest)
        self._recipients = recipients_pb2_grpc.RecipientServiceStub(router)
        self._segments = segments_pb2_grpc.SegmentServiceStub(router)
        self._workflows = workflows_pb2_grpc.WorkflowServiceStub(router)
        self._schedules = schedules_pb2_grpc.ScheduleServiceStub(router)
        self._slots = asyncio.Semaphore(_AT_A_TIME)

    async def store_group(self, tenant_id: str, key: str, people: Sequence[recipients_pb2.StoredRecipient]) -> None:
        """Store recipients, and a group of all of them."""
        wire = recipients_pb2.PutGroupRequest(tenant_id=tenant_id, key=key)
        await self._call(self._recipients.PutGroup, wire, deadline=_DEADLINE_S)
        await asyncio.gather(*[self._put(tenant_id, part) for part in _parts(people, _RECIPIENTS)])
        for part in _parts([one.recipient_id for one in people], _MEMBERS):  # one group has one row to lock
            change = recipients_pb2.ChangeMembersRequest(tenant_id=tenant_id, key=key, add=part)
            await self._call(self._recipients.ChangeMembers, change, deadline=_DEADLINE_S)

    async def create_segment(self, segment: segments_pb2.Segment) -> str:
        """Store a segment; return its id."""
        wire = segments_pb2.CreateSegmentRequest(segment=segment)
        answer = await self._call(self._segments.CreateSegment, wire, deadline=_DEADLINE_S)
        return str(answer.segment.id)

    async def create_workflow(self, workflow: workflows_pb2.Workflow) -> str:
        """Store a workflow; return its id."""
        wire = workflows_pb2.CreateWorkflowRequest(workflow=workflow, by="check")
        answer = await self._call(self._workflows.CreateWorkflow, wire, deadline=_DEADLINE_S)
        return str(answer.workflow.id)

    async def accept(self, tenant_id: str, events: Sequence[ingest_pb2.NewEvent]) -> list[str]:
        """Have ingest accept events, again while it is overloaded; return their ids in order."""
        found = await asyncio.gather(*[self._accept(tenant_id, part) for part in _parts(events, _EVENTS)])
        return [event_id for part in found for event_id in part]

    async def create_schedules(self, schedules: Sequence[schedules_pb2.Schedule]) -> None:
        """Create schedules."""
        await asyncio.gather(*[self._create(one) for one in schedules])

    async def _create(self, schedule: schedules_pb2.Schedule) -> None:
        async with self._slots:
            wire = schedules_pb2.CreateScheduleRequest(schedule=schedule)
            await self._call(self._schedules.CreateSchedule, wire, deadline=_DEADLINE_S)

    async def _put(self, tenant_id: str, people: Sequence[recipients_pb2.StoredRecipient]) -> None:
        async with self._slots:
            wire = recipients_pb2.PutRecipientsRequest(tenant_id=tenant_id, recipients=people)
            await self._call(self._recipients.PutRecipients, wire, deadline=_DEADLINE_S)

    async def _accept(self, tenant_id: str, events: Sequence[ingest_pb2.NewEvent]) -> list[str]:
        items = [ingest_pb2.AcceptItem(tenant_id=tenant_id, event=event) for event in events]
        ids: list[str] = [""] * len(items)
        left = list(range(len(items)))
        async with self._slots:
            while left:
                wire = ingest_pb2.AcceptEventsRequest(items=[items[place] for place in left])
                answer = await self._call(self._ingest.AcceptEvents, wire, deadline=_DEADLINE_S)
                refused = []
                for place, result in zip(left, answer.results, strict=True):
                    if result.HasField("accepted"):
                        ids[place] = result.accepted.event_id
                        continue
                    error = ClarionError.from_proto(result.error)
                    if error.code not in (Code.OVERLOADED, Code.UNAVAILABLE):
                        raise error
                    refused.append(place)
                left = refused
                if left:
                    await asyncio.sleep(_PAUSE_S)
        return ids


@asynccontextmanager
async def services(running: Running) -> AsyncIterator[Services]:
    """Connect to the services of a stack."""
    variables = running.variables
    ingest = channel(variables["CLARION_INGEST_ADDRESS"])
    router = channel(variables["CLARION_ROUTER_ADDRESS"])
    try:
        yield Services(variables["CLARION_SERVICE_TOKEN"], ingest, router)
    finally:
        await ingest.close()
        await router.close()


def _parts(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[at : at + size] for at in range(0, len(items), size)]
