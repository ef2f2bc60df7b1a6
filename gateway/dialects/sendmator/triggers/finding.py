"""Finding a trigger in the ledger, right after it was accepted as well as later."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from clarion.ingest.v1 import ledger_pb2
from clarion.router.v1 import runs_pb2, workflows_pb2
from gateway.clients import Clients
from gateway.dialects.sendmator.credentials import Caller
from gateway.dialects.sendmator.errors import not_found
from gateway.dialects.sendmator.events.events import TEAM_LABEL
from runtime import clock
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid, time_of

# The ledger is about a second behind: an id that was made this recently, in microseconds, is looked for as long as
# this, in seconds, before it counts as unknown.
RECENT_US = 60_000_000
PATIENCE_S = 5.0
_LOOK_S = 0.1
# Most pages of events that one list reads: an account may have millions of events.
MAX_READ = 30


@dataclass(frozen=True, slots=True)
class Trigger:
    """An event with what is known of its progress. run: None: the router keeps none of it in mind."""

    event: ledger_pb2.EventSummary
    run: runs_pb2.Run | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more of it will happen."""
        return bool(self.event.finished_at_us)


class Triggers:
    """Reads triggers of an account."""

    def __init__(
        self,
        clients: Clients,
        now: clock.Clock,
        *,
        elapsed: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._clients = clients
        self._now = now
        self._elapsed = elapsed
        self._patience_s = patience_s

    async def get(self, caller: Caller, trigger_id: str, *, waits: bool = True) -> Trigger:
        """Return a trigger. Raises ApiError (404) for one that is unknown, another account's or another team's.

        waits: for one that the ledger may not have read yet.
        """
        until = self._elapsed() + (self._patience_s if waits else 0)
        while (event := await self._event(trigger_id)) is None:
            if not self._is_recent(trigger_id) or self._elapsed() >= until:
                raise not_found("Trigger")
            await pause()
        if not is_readable(event, caller):
            raise not_found("Trigger")
        return Trigger(event, await self._run(trigger_id))

    async def counts(self, caller: Caller, trigger_id: str) -> Sequence[ledger_pb2.WorkflowCount]:
        """Return how many of a trigger's deliveries have each status, by workflow and step."""
        wire = ledger_pb2.GetWorkflowCountsRequest(tenant_id=caller.tenant_id, event_id=trigger_id)
        return (await self._clients.call(self._clients.ledger.GetWorkflowCounts, wire)).counts

    async def started(self, event: ledger_pb2.EventSummary) -> Sequence[str]:
        """Return the ids of the stored workflows that an event starts; none if its body was deleted."""
        if not event.has_workflows:
            return ()
        wire = ledger_pb2.GetEventBodyRequest(tenant_id=event.tenant_id, event_id=event.id, whole=True)
        try:
            body = (await self._clients.call(self._clients.ledger.GetEventBody, wire)).event
        except ClarionError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return ()
        return [one.workflow_id for one in body.workflows.workflows]

    async def newest(
        self, caller: Caller, wire: ledger_pb2.ListEventsRequest, *, of_team: bool = True
    ) -> AsyncGenerator[ledger_pb2.EventSummary, None]:
        """Yield the events that a caller may read, newest first.

        wire: what else they are, and how many are read at a time. of_team: if the caller reads one team only, only its
        events are asked for; else those that it may not read are left out afterwards.
        """
        wire.tenant_id = caller.tenant_id
        if of_team and (caller.names_team or len(caller.key.scopes) == 1):  # others cannot be read
            wire.metadata[TEAM_LABEL] = caller.team
        for _ in range(MAX_READ):
            answer = await self._clients.call(self._clients.ledger.ListEvents, wire)
            for event in answer.events:
                if is_readable(event, caller):
                    yield event
            wire.cursor = answer.next_cursor
            if not wire.cursor:
                return

    async def workflow(self, caller: Caller, workflow_id: str) -> workflows_pb2.Workflow | None:
        """Return a stored workflow; None: it was deleted."""
        wire = workflows_pb2.GetWorkflowRequest(
            tenant_id=caller.tenant_id, workflow_id=workflow_id, without_activity=True
        )
        try:
            return (await self._clients.call(self._clients.workflows.GetWorkflow, wire)).workflow
        except ClarionError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return None

    async def _event(self, trigger_id: str) -> ledger_pb2.EventSummary | None:
        if not is_uuid(trigger_id):
            return None
        wire = ledger_pb2.GetEventRequest(event_id=trigger_id)
        try:
            return (await self._clients.call(self._clients.ledger.GetEvent, wire)).event
        except ClarionError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return None

    async def _run(self, trigger_id: str) -> runs_pb2.Run | None:
        try:
            wire = runs_pb2.GetRunRequest(event_id=trigger_id)
            return (await self._clients.call(self._clients.runs.GetRun, wire)).run
        except ClarionError as error:
            if error.code not in (Code.NOT_FOUND, Code.UNAVAILABLE):
                raise
            return None  # the ledger says enough

    def _is_recent(self, trigger_id: str) -> bool:
        return is_uuid(trigger_id) and abs(self._now() - time_of(trigger_id)) < RECENT_US


def is_readable(event: ledger_pb2.EventSummary, caller: Caller) -> bool:
    """Return whether a caller may read an event: one of its account, and of its team if it is limited to any."""
    if event.tenant_id != caller.tenant_id:
        return False
    team = event.metadata.get(TEAM_LABEL, "")
    if not team:  # of another API of this account
        return not caller.key.scopes
    if caller.names_team:
        return team == caller.team
    return not caller.key.scopes or team in caller.key.scopes


async def pause() -> None:
    """Wait between two looks, a little longer or shorter each time."""
    await asyncio.sleep(_LOOK_S * random.uniform(0.7, 1.3))  # noqa: S311 - jitter, not a secret
