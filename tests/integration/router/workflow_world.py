"""Routers that work off the workflow runs of events, beside the events themselves."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import asyncpg
import msgspec
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import workflows_pb2
from runtime.configuration import ConfigurationOutbox
from runtime.ids import new_id
from services.router.catalog import Catalog
from services.router.endpoints.writing import TenantWrites
from services.router.filtering import Filtering
from services.router.people import StoredPeople
from services.router.planner import CatalogPlanner, EventPlanner
from services.router.recipients.people import PostgresRecipients
from services.router.runs.publishing import OutputPublisher
from services.router.runs.runner import Runs
from services.router.segments.members import SegmentMembers
from services.router.workflow_runs.deciding import Deciding
from services.router.workflow_runs.pressure import Pressure
from services.router.workflow_runs.runner import WorkflowRuns
from services.router.workflow_runs.sends import CatalogSends
from services.router.workflow_runs.servicer import WorkflowRunMethods
from services.router.workflow_runs.store import WorkflowRunStore
from services.router.workflows.check import WorkflowFields
from services.router.workflows.document import parse
from services.router.workflows.store import WorkflowStore
from tests.integration.router.run_world import TENANT, World
from tests.streams import Streams

EVENT_TYPE = "order.confirmed"


class WorkflowWorld(World):
    """World with stored workflows and stored people: those are in PostgreSQL."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", connection: Client, streams: Streams) -> None:
        super().__init__(pool, connection, streams)
        self.recipients = PostgresRecipients(pool)
        self.segments = SegmentMembers(pool)
        self.bodies = _Bodies()
        self.workflow_store = WorkflowStore(pool, TenantWrites(pool, ConfigurationOutbox(pool, "router", connection)))
        self.workflow_run_store = WorkflowRunStore(pool)
        self.planner: Any = CatalogPlanner(
            cast(Catalog, self.catalog), EventPlanner(self.policies, Filtering(self.bodies))
        )
        self.runs = self.router()
        self.workflow_runs = self.flow()

    def flow(self) -> WorkflowRuns:
        """Return another process's workflow runs."""
        deciding = Deciding(
            self.versions,
            CatalogSends(self.catalog),
            StoredPeople(self.recipients),
            self.statuses,
            self.bodies,
            self.policies,
            erased=self._erased,
            now=self.clock,
        )
        return WorkflowRuns(
            self.workflow_run_store,
            self.cooldowns,
            deciding,
            OutputPublisher(self.connection),
            Pressure(self.progress),
            self.inactive.__contains__,
            ended=self.runs.wake,
            now=self.clock,
        )

    async def workflow(self, *steps: dict[str, Any], **document: Any) -> str:
        """Store a workflow of these steps; return its id. It need not be active: events name what they start."""
        raw = msgspec.json.encode({"steps": steps, **document})
        fields = WorkflowFields("", new_id(), "", EVENT_TYPE, active=False)
        stored, _ = await self.workflow_store.create(TENANT, fields, parse(raw), "test")
        return stored.id

    async def change(self, workflow_id: str, *steps: dict[str, Any]) -> None:
        """Give a workflow another version."""
        document = parse(msgspec.json.encode({"steps": steps}))
        await self.workflow_store.update(
            TENANT, workflow_id, lambda fields: (fields, document), expected_version=0, by="test"
        )

    def started(self, workflows: Sequence[str], *targets: event_pb2.Target, **fields: Any) -> event_pb2.Event:
        """Return an event that starts these workflows for these targets."""
        versions = [event_pb2.WorkflowVersion(workflow_id=one, version=1) for one in workflows]
        return self.event(*targets, workflows=event_pb2.WorkflowSet(workflows=versions), **fields)

    async def flow_on(self, *flows: WorkflowRuns, routers: Sequence[Runs] = ()) -> None:
        """Have routers work off what is due of events and of workflow runs, until nothing is left."""
        workers: list[Runs | WorkflowRuns] = [*(routers or (self.runs,)), *(flows or (self.workflow_runs,))]
        busy = True
        while busy:
            counts = await asyncio.gather(*[one.work(large=large) for one in workers for large in (False, True)])
            busy = any(counts)

    async def sent(self) -> list[tuple[str, str]]:
        """Return whom each delivery is for, and the step that sends it, in the order of the stream."""
        return [(one.recipient.user_id, one.step) for one in await self.deliveries()]

    async def reasons(self) -> list[tuple[str, str]]:
        """Return the step and the reason of what was planned and not sent."""
        records = await self.records("routed")
        return [(one.step, one.reason) for record in records for one in record.routed.deliveries if one.reason]

    async def outcomes(self) -> list[tuple[str, str]]:
        """Return the step and the outcome of all that workflow runs did besides sending."""
        records = await self.records("workflow_steps")
        return [(one.step, one.outcome) for record in records for one in record.workflow_steps.steps]


class _Bodies:
    """Implements workflow_runs.ports.Bodies: large ones, by their event."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[bytes, bytes]] = {}

    async def complete(self, delivery: event_pb2.Delivery) -> event_pb2.Delivery:
        """Return the body."""
        variables, extra = self.known[delivery.event_id]
        return event_pb2.Delivery(variables=variables, payload_extra=extra)


def send(id_: str, channel: str = "EMAIL", key: str = "welcome", **fields: Any) -> dict[str, Any]:
    """A step that sends."""
    return {"id": id_, "kind": "send", "channel": channel, "template": {"key": key}, **fields}


def delay(id_: str, seconds: int) -> dict[str, Any]:
    """A step that waits."""
    return {"id": id_, "kind": "delay", "for_s": seconds}


def contact(user_id: str = "", **fields: Any) -> event_pb2.Target:
    """Somebody as a caller knows them."""
    return event_pb2.Target(contact=event_pb2.Contact(recipient=event_pb2.Recipient(user_id=user_id, **fields)))


async def begun(flow: WorkflowWorld, *steps: dict[str, Any]) -> event_pb2.Event:
    """Begin an event for one person that starts a workflow of these steps; return it."""
    workflow = await flow.workflow(*steps)
    event = flow.started([workflow], contact("ada", email="ada@example.com", phone="+4915112345678"))
    await flow.begin(event)
    return event


def methods(flow: WorkflowWorld) -> WorkflowRunMethods:
    """Return what WorkflowService does with runs."""
    return WorkflowRunMethods(flow.workflow_run_store, flow.pool, flow.workflow_runs.wake, now=flow.clock)


async def only(flow: WorkflowWorld, event: event_pb2.Event) -> workflows_pb2.WorkflowRun:
    """Return the only workflow run of an event."""
    request = workflows_pb2.ListWorkflowRunsRequest(tenant_id=TENANT, event_id=event.id)
    (run,) = (await methods(flow).list_page(request)).runs
    return run


SENT = trace_pb2.DELIVERY_STATUS_SENT
