"""A workflow run, and what comes next of it: pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import run_output_pb2, workflows_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import derived_id_at
from services.router.messages import Plan
from services.router.ports import Person
from services.router.runs import outputs
from services.router.runs.ports import NewWorkflowRun
from services.router.runs.run import Run
from services.router.workflow_runs.sending import Sending
from services.router.workflows import engine
from services.router.workflows.engine import Record
from services.router.workflows.state import State

ACTIVE = workflows_pb2.WORKFLOW_RUN_STATE_ACTIVE
WAITING = workflows_pb2.WORKFLOW_RUN_STATE_WAITING
DONE = workflows_pb2.WORKFLOW_RUN_STATE_DONE
CANCELED = workflows_pb2.WORKFLOW_RUN_STATE_CANCELED
FAILED = workflows_pb2.WORKFLOW_RUN_STATE_FAILED
_ENDED = frozenset({DONE, CANCELED, FAILED})

# The newest of what it did that are kept with it. A run of the longest workflow does fewer things.
_MAX_STEPS = 200

RunState: TypeAlias = workflows_pb2.WorkflowRunState.ValueType


@dataclass(frozen=True, slots=True)
class WorkflowRun:
    """A workflow run that has not ended, or whose end is not published. Times in Unix microseconds, 0: none.

    of: its event's run, by run_id. is_closed: that has ended. recipient: as the event
    describes them; None: they are stored, by recipient_id. position: where it is. steps: what it did, besides sending.
    crashes: how often in a row it could not be decided. updated_us: when it last went on.
    """

    id: str
    run_id: str
    event_id: str
    tenant_id: str
    workflow_id: str
    version: int
    destination: str
    recipient_id: str
    recipient: event_pb2.Recipient | None
    state: RunState
    revision: int
    position: State
    steps: trace_pb2.WorkflowSteps
    crashes: int
    updated_us: int
    output: run_output_pb2.RunOutput | None
    of: Run
    is_closed: bool


@dataclass(frozen=True, slots=True)
class WorkflowDecision:
    """What is to be stored of a workflow run before it is published. next_us: when it goes on then; 0: it has ended.

    sends, skips: how many deliveries its event has more.
    """

    run: WorkflowRun
    output: run_output_pb2.RunOutput
    position: State
    steps: trace_pb2.WorkflowSteps
    sends: int
    skips: int
    state: RunState
    next_us: int

    @property
    def is_ended(self) -> bool:
        """Whether it is the run's end."""
        return self.state in _ENDED


@dataclass(frozen=True, slots=True)
class WorkflowHold:
    """A workflow run that is looked at again later, and why. revision: of the run as it was seen."""

    run: WorkflowRun
    revision: int
    reason: str
    crashes: int
    until_us: int


def workflow_run_id(event: event_pb2.Event, workflow_id: str, destination: str) -> str:
    """Return the id of a workflow's run for somebody."""
    return derived_id_at(event.id, "workflow", event.id, workflow_id, destination)


def new_run(
    event: event_pb2.Event, workflow_id: str, version: int, person: Person, *, is_described: bool
) -> NewWorkflowRun:
    """Return the run of a workflow that begins for somebody. is_described: by the event; else they are stored."""
    return NewWorkflowRun(
        workflow_run_id(event, workflow_id, person.destination),
        workflow_id,
        version,
        person.destination,
        person.recipient.user_id,
        person.recipient.SerializeToString() if is_described else None,
    )


def decide(run: WorkflowRun, looked: engine.Decision, sending: Sending, now_us: int) -> WorkflowDecision:
    """Return what a look gives."""
    state = WAITING if not looked.ended else DONE
    return _decision(run, looked.records, sending, looked.state, state, looked.wake_at_us, now_us)


def ended(
    run: WorkflowRun, state: RunState, outcome: str, reason: str, now_us: int, *, detail: str = ""
) -> WorkflowDecision:
    """Return the end of a run, whatever it waits for. outcome, detail: see clarion.common.v1.WorkflowStep."""
    return _decision(run, [Record("", outcome, reason, detail)], None, run.position, state, 0, now_us)


def is_open(state: RunState) -> bool:
    """Return whether a run in this state goes on."""
    return state not in _ENDED


def with_earlier(
    earlier: run_output_pb2.RunOutput | None, output: run_output_pb2.RunOutput
) -> run_output_pb2.RunOutput:
    """Return an output with what was decided before and perhaps not published."""
    if earlier is None:
        return output
    whole = run_output_pb2.RunOutput()
    whole.CopyFrom(earlier)
    whole.MergeFrom(output)
    return whole


def later_version(workflow_id: str) -> ClarionError:
    """Return the error for a workflow whose document only a later version of Clarion can read."""
    return ClarionError(Code.UNAVAILABLE, f"Only a later version can read the workflow {workflow_id}.", retry_after=1)


def _decision(
    run: WorkflowRun,
    records: Sequence[Record],
    sending: Sending | None,
    position: State,
    state: RunState,
    next_us: int,
    now_us: int,
) -> WorkflowDecision:
    event = event_pb2.Event(id=run.event_id, tenant_id=run.tenant_id)
    did = [_step(run, record) for record in records]
    deliveries, planned = (sending.deliveries, sending.planned) if sending is not None else ((), ())
    more = []
    if did:
        steps = trace_pb2.WorkflowSteps(steps=did)
        more.append(trace_pb2.TraceRecord(event_id=run.event_id, tenant_id=run.tenant_id, workflow_steps=steps))
    written = [
        *outputs.records(event, Plan(deliveries, planned), now_us, closes=False, before=0),
        *outputs.dated(more, now_us),
    ]
    return WorkflowDecision(
        run,
        outputs.output_of(deliveries, written, now_us),
        position,
        trace_pb2.WorkflowSteps(steps=[*run.steps.steps, *did][-_MAX_STEPS:]),
        len(deliveries),
        len(planned) - len(deliveries),
        state,
        next_us,
    )


def _step(run: WorkflowRun, record: Record) -> trace_pb2.WorkflowStep:
    return trace_pb2.WorkflowStep(
        workflow_run_id=run.id,
        workflow_id=run.workflow_id,
        workflow_version=run.version,
        destination=run.destination,
        step=record.step,
        outcome=record.outcome,
        reason=record.reason,
        detail=record.detail,
        until_us=record.until_us,
    )
