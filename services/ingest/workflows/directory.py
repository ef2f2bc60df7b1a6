"""Finds the stored workflows that an event starts, in the published copy."""

from collections.abc import Iterable, Sequence

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime import logs
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.domain.workflows import Workflow, decode_workflows, in_scope
from services.ingest.memo import Memo
from services.ingest.published import PublishedCopy, Revisions

log = logs.get(__name__)


class WorkflowDirectory:
    """Answers from the copy, which has each type that was declared or that a workflow names.

    marker: the key that the copy has while all that the workflows' owner stores is published.
    """

    def __init__(self, copy: PublishedCopy, *, marker: str) -> None:
        self._copy = copy
        self._revisions = Revisions(copy)
        self._marker = marker
        self._listed: Memo[Sequence[Workflow] | None] = Memo(_read, weight=_length)

    async def reach(self, revision: int) -> None:
        """Wait a moment for a revision that the copy should have."""
        await self._revisions.reach(revision)

    def stamp(self, event: event_pb2.Event, new: ingest_pb2.NewEvent) -> None:
        """Set the workflows that an event starts, with their current versions.

        Of an event that leaves it open they are set only if there are some, and a copy that is not complete counts as
        it is. A test of one template, a direct message and an event for endpoints alone start none.

        Raises NOT_FOUND as WorkflowChoice says, UNAVAILABLE if that is not known yet, INTERNAL if what is published
        cannot be read.
        """
        has_choice = new.HasField("workflows")
        if not has_choice and (event.HasField("direct") or event.HasField("pinned") or event.HasField("endpoints")):
            return
        listed = self._of_type(event, is_asked_for=has_choice)
        ours = in_scope(listed or (), event.scope)
        active = [workflow for workflow in ours if workflow.active]
        if not has_choice:
            if active:
                _set(event, active)
        elif new.workflows.HasField("workflow_id"):
            named = [workflow for workflow in ours if workflow.id == new.workflows.workflow_id]
            if not named:
                raise ClarionError(Code.NOT_FOUND, "There is no such workflow of this event type.")
            _set(event, named)
            event.workflows.is_named = True
        elif listed is not None:
            _set(event, active)
        else:
            raise ClarionError(Code.NOT_FOUND, "There is no such event type. Declare it, or make a workflow for it.")

    def _of_type(self, event: event_pb2.Event, *, is_asked_for: bool) -> Sequence[Workflow] | None:
        """Return the workflows of the event's type; None: it is not known."""
        key = topology.workflows_key(event.tenant_id, event.event_type)
        raw = self._copy.get(key)
        if raw is None:
            if is_asked_for and self._copy.get(self._marker) is None:
                raise ClarionError(Code.UNAVAILABLE, "It is not known yet which workflows there are.", retry_after=1)
            return None
        found = self._listed.of(key, raw)
        if found is None:
            raise ClarionError(Code.INTERNAL, "What is stored of this event type's workflows cannot be read.")
        return found


def _set(event: event_pb2.Event, workflows: Iterable[Workflow]) -> None:
    event.workflows.SetInParent()
    for workflow in workflows:
        event.workflows.workflows.add(workflow_id=workflow.id, version=workflow.version)


def _read(key: str, raw: bytes) -> Sequence[Workflow] | None:
    try:
        return decode_workflows(raw)
    except ValueError as error:  # msgspec's errors are ValueErrors
        log.error("workflows_unreadable", key=key, error=str(error))
        return None


def _length(listed: Sequence[Workflow] | None) -> int:
    return 1 + len(listed or ())
