"""What works off the events that the router keeps in mind: their runs, and the runs of their workflows."""

import asyncio
from dataclasses import dataclass

import grpc.aio
from nats.aio.client import Client

from runtime.clock import Clock
from runtime.grpc import Caller
from runtime.parts import OwnParts
from runtime.service import Process
from services.delivery.bodies import Bodies
from services.router.catalog import Catalog
from services.router.pace import Pace
from services.router.people import StoredPeople
from services.router.planner import CatalogPlanner
from services.router.policies import Erased, Policies
from services.router.recipients.identity import Identities
from services.router.recipients.people import PostgresRecipients
from services.router.recipients.store import Pool
from services.router.runs.progress import LedgerProgress
from services.router.runs.publishing import OutputPublisher
from services.router.runs.reading import Audiences
from services.router.runs.runner import PAGE, Runs
from services.router.runs.store import RunStore
from services.router.segments.members import SegmentMembers
from services.router.workflow_runs.cooldowns import PostgresCooldowns
from services.router.workflow_runs.deciding import Deciding
from services.router.workflow_runs.pressure import Pressure
from services.router.workflow_runs.runner import WorkflowRuns
from services.router.workflow_runs.sends import CatalogSends
from services.router.workflow_runs.shared_versions import SharedVersions
from services.router.workflow_runs.starting import WorkflowStarter
from services.router.workflow_runs.statuses import LedgerStatuses
from services.router.workflow_runs.store import WorkflowRunStore
from services.router.workflows.documents import Documents


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for a decision. pool: for what is read of people; runs_pool: for the runs and their documents."""

    connection: Client
    ingest: grpc.aio.Channel
    caller: Caller
    own: OwnParts
    catalog: Catalog
    bodies: Bodies
    people: PostgresRecipients
    policies: Policies
    erased: Erased
    pool: Pool
    runs_pool: Pool
    pace: Pace


class KeptEvents:
    """runs, workflow_runs: each wakes the other."""

    def __init__(
        self, store: RunStore, workflow_runs: WorkflowRunStore, planner: CatalogPlanner, asked: Asked, now: Clock
    ) -> None:
        versions, sends = SharedVersions(Documents(asked.runs_pool)), CatalogSends(asked.catalog)
        cooldowns, publishing = PostgresCooldowns(asked.runs_pool), OutputPublisher(asked.connection, asked.pace)
        progress = LedgerProgress(asked.connection, asked.ingest, asked.caller, asked.own)
        deciding = Deciding(
            versions,
            sends,
            StoredPeople(asked.people),
            LedgerStatuses(asked.ingest, asked.caller, asked.own),
            asked.bodies,
            asked.policies,
            erased=asked.erased,
            now=now,
        )
        self.workflow_runs = WorkflowRuns(
            workflow_runs,
            cooldowns,
            deciding,
            publishing,
            Pressure(progress),
            asked.catalog.is_inactive,
            ended=self.wake,
            pace=asked.pace,
            now=now,
        )
        self.runs = Runs(
            store,
            planner,
            Audiences(asked.people, Identities(asked.pool), page=PAGE),
            WorkflowStarter(
                versions,
                sends,
                SegmentMembers(asked.pool),
                cooldowns,
                asked.policies,
                erased=asked.erased,
                pace=asked.pace,
                now=now,
            ),
            publishing,
            progress,
            asked.catalog.is_inactive,
            began=self.workflow_runs.wake,
            pace=asked.pace,
            now=now,
        )
        self._working: list[asyncio.Task[None]] = []

    def start(self, process: Process) -> None:
        """Work until drain()."""
        self._working = [
            process.start(self.runs.run(), name="runs"),
            process.start(self.workflow_runs.run(), name="workflow runs"),
        ]

    def wake(self) -> None:
        """Look for what is due now."""
        self.runs.wake()
        self.workflow_runs.wake()

    async def drain(self) -> None:
        """Begin nothing more; return when what is in hand is published."""
        await self.runs.drain()
        await self.workflow_runs.drain()
        await asyncio.gather(*self._working)
