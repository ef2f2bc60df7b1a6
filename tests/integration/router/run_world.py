"""Routers that work off runs on one database and broker, and what they left behind."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import asyncpg
from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import runs_pb2
from runtime.configuration import ConfigurationOutbox
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.domain.reasons import Reason
from services.router import policies
from services.router.ports import Contacts, NewRun, Segments
from services.router.recipients.identity import Identities
from services.router.runs.publishing import OutputPublisher
from services.router.runs.reading import Audiences
from services.router.runs.runner import Runs
from services.router.runs.store import RunStore
from services.router.workflow_runs.cooldowns import PostgresCooldowns
from services.router.workflow_runs.sends import CatalogSends
from services.router.workflow_runs.shared_versions import SharedVersions
from services.router.workflow_runs.starting import WorkflowStarter
from services.router.workflows.documents import Documents
from tests.fakes.router_recipients import MemoryRecipients
from tests.fakes.router_runs import MailPlanner, MemoryProgress
from tests.fakes.router_workflow_runs import MailCatalog, MemorySegments, MemoryStatuses
from tests.streams import Streams

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TENANT = new_id()
ANY = runs_pb2.RUN_STATE_UNSPECIFIED


class Clock:
    """A clock that the test moves. Unix microseconds."""

    def __init__(self) -> None:
        self.us = 1_800_000_000_000_000

    def __call__(self) -> int:
        """Return the time."""
        return self.us

    def pass_s(self, seconds: float) -> None:
        """Move on."""
        self.us += int(seconds * 1_000_000)


class Recipients(MemoryRecipients):
    """Stored recipients, each with an address."""

    def add(self, tenant_id: str, *ids: str, group: str = "") -> None:
        """Store recipients, as members of a group too."""
        for id_ in ids:
            self.store(tenant_id, id_, groups=[group] if group else (), email=f"{id_}@example.com")


class World:
    """Routers on one database and broker, and what they left behind."""

    def __init__(self, pool: Pool, connection: Client, streams: Streams) -> None:
        self.pool = pool
        self.connection = connection
        self.streams = streams
        self.clock = Clock()
        self.planner = MailPlanner()
        self.recipients: Any = Recipients()
        self.contacts: Contacts = Identities(pool)
        self.versions = SharedVersions(Documents(pool))
        self.catalog = MailCatalog()
        self.cooldowns = PostgresCooldowns(pool)
        self.statuses = MemoryStatuses()
        self.segments: Segments = MemorySegments()
        self.erased: set[str] = set()
        self.canceled: set[str] = set()
        self.policies = policies.of_everything(_not_suppressed, self._erased, self._canceled)
        self.progress = MemoryProgress()
        self.inactive: set[str] = set()
        self.store = RunStore(pool, ConfigurationOutbox(pool, "router", connection))
        self.runs = self.router()

    def router(self, *, page: int = 10) -> Runs:
        """Return another process's runs."""
        return Runs(
            self.store,
            self.planner,
            Audiences(self.recipients, self.contacts, page=page),
            WorkflowStarter(
                self.versions,
                CatalogSends(self.catalog),
                self.segments,
                self.cooldowns,
                self.policies,
                erased=self._erased,
                now=self.clock,
            ),
            OutputPublisher(self.connection),
            self.progress,
            self.inactive.__contains__,
            now=self.clock,
        )

    def _erased(self, tenant_id: str, user_id: str, accepted_us: int) -> str:
        return Reason.RECIPIENT_ERASED if user_id in self.erased else ""

    def _canceled(self, tenant_id: str, event_id: str) -> bool:
        return event_id in self.canceled

    def event(self, *targets: event_pb2.Target, due_in_s: float = 0.0, **fields: Any) -> event_pb2.Event:
        """Return an event for these targets, due in so many seconds."""
        return event_pb2.Event(
            id=new_id(),
            event_type="order.confirmed",
            audience=targets,
            due_at_us=self.clock.us + int(due_in_s * 1_000_000) if due_in_s else 0,
            id_scheme=1,
            **{"tenant_id": TENANT, "variables": b'{"total":1}', **fields},
        )

    async def begin(self, *events: event_pb2.Event, sequence: int = 7) -> None:
        """Have the router keep events in mind."""
        await self.runs.begin([NewRun(event, sequence) for event in events])

    async def work(self, *routers: Runs) -> None:
        """Have routers work off what is due, at once, until nothing is left."""
        routers = routers or (self.runs,)
        busy = True
        while busy:
            counts = await asyncio.gather(*[one.work(large=large) for one in routers for large in (False, True)])
            busy = any(counts)

    async def deliveries(self) -> list[event_pb2.Delivery]:
        """Return all of DELIVERIES."""
        return [event_pb2.Delivery.FromString(data) for data in await self.streams.messages(topology.DELIVERIES)]

    async def sent_to(self) -> list[str]:
        """Return the recipients of all deliveries, sorted."""
        return sorted(delivery.recipient.user_id for delivery in await self.deliveries())

    async def records(self, step: str) -> list[trace_pb2.TraceRecord]:
        """Return TRACE's records of one kind, each id once, as the ledger stores them."""
        batches = [trace_pb2.TraceBatch.FromString(data) for data in await self.streams.messages(topology.TRACE)]
        by_id = {one.id: one for batch in batches for one in batch.records if one.HasField(step)}  # type: ignore[arg-type] # a name
        return list(by_id.values())

    async def plan(self, event: event_pb2.Event) -> tuple[int, list[int]]:
        """Return how many deliveries were recorded as planned, and the totals that closed the plan."""
        routed = [one.routed for one in await self.records("routed") if one.event_id == event.id]
        # Without a total it is the record's own number.
        totals = [one.total or len(one.deliveries) for one in routed if not one.continues]
        return sum(len(one.deliveries) for one in routed), totals

    async def state(self, event: event_pb2.Event) -> "runs_pb2.RunState.ValueType":
        """Return the state of an event's run."""
        return (await self.store.of_event(event.id)).state


def _not_suppressed(*_: object, **__: object) -> str:
    """Nobody's address is suppressed."""
    return ""


def group(key: str) -> event_pb2.Target:
    """A group."""
    return event_pb2.Target(group=key)


def stored(id_: str) -> event_pb2.Target:
    """A stored recipient."""
    return event_pb2.Target(recipient_id=id_)


def inline(id_: str, email: str = "inline@example.com") -> event_pb2.Target:
    """A recipient whom the caller describes."""
    return event_pb2.Target(recipient=event_pb2.Recipient(user_id=id_, email=email))


def names(count: int, prefix: str = "u") -> list[str]:
    """So many ids."""
    return [f"{prefix}{number:04}" for number in range(count)]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all nodes of a query's plan."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def fail(*_: object, **__: object) -> Sequence[object]:
    """Do what a broken part does."""
    raise ClarionError(Code.UNAVAILABLE, "The message broker does not answer.")
