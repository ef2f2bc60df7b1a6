"""Workflows with their versions, what a dry run says, and workflow runs."""

from typing import Annotated

from msgspec import Meta

from gateway.admin.workflow_runs import STATES
from gateway.admin.workflows import (
    Document,
    NewWorkflowBody,
    WorkflowChangeBody,
    WorkflowCheckBody,
    WorkflowDryRunBody,
)
from gateway.openapi.operations import PAGING, Operation, Parameter, admin
from gateway.openapi.values import Channel, Flag, Id, PageSchema, Reason, Shape, Text, Time

_TAG = "Workflows"

# As services/router/workflows/document.py names them. No enum: a new kind of step breaks no client.
StepKind = Annotated[
    str, Meta(examples=["send", "delay", "condition", "parallel", "webhook", "stop"], description="What the step does.")
]
WorkflowRunState = Annotated[
    str,
    Meta(
        description=(
            "- `active`: goes on at once\n- `waiting`: until `wake_at`\n- `done`\n- `canceled`\n- `failed`: Clarion"
            " failed several times in a row"
        ),
        extra_json_schema={"enum": list(STATES)},
    ),
]


class _WorkflowFields(Shape):
    id: Id
    tenant_id: Id
    scope: Annotated[str | None, Meta(description="null: events of every scope start it.")]
    name: str
    description: str
    event_type: str
    active: Annotated[bool, Meta(description="Events start it.")]
    version: Annotated[int, Meta(description="The current version, from 1.")]
    open_runs: Annotated[int, Meta(description="How many workflow runs have not ended.")]
    last_started_at: Annotated[Time | None, Meta(description="When the last one began; null: never, or not known.")]
    created_at: Time | None
    updated_at: Time | None


class WorkflowSummarySchema(_WorkflowFields):
    """A workflow without its document."""


class WorkflowSchema(_WorkflowFields):
    """What events of a type start, step by step, for each person."""

    document: Document


class _VersionFields(Shape):
    version: int
    created_at: Time | None
    created_by: Annotated[str | None, Meta(description="Who made it, as the audit log names them; null: not known.")]


class WorkflowVersionSummarySchema(_VersionFields):
    """A version of a workflow without its document."""


class WorkflowVersionSchema(_VersionFields):
    """A version of a workflow. It never changes."""

    document: Document


class WorkflowFaultSchema(Shape):
    """Something that is wrong with a document."""

    field: Annotated[str, Meta(description="Where it is.", examples=["steps[2].template.key"])]
    step: Annotated[str | None, Meta(description="The id of the step; null: it has none.")]
    detail: str


class WorkflowFaultsSchema(Shape):
    """What is wrong with a document. Without faults it can be stored."""

    faults: list[WorkflowFaultSchema]


class DryStepSchema(Shape):
    """What one step would do."""

    step: str
    kind: StepKind
    at: Annotated[Time | None, Meta(description="When it would happen.")]
    outcome: Annotated[
        str,
        Meta(
            description="`sent`, `skipped`, `waiting`, `went_on`, `condition_met`, `condition_not_met`, `passed_over`"
            " (its own rule does not want it), `stopped`, `ended` or `failed`."
        ),
    ]
    reason: Reason | None
    detail: Annotated[str, Meta(description="One sentence for people.")]
    channel: Channel | None
    template_version_id: Id | None


class DryRunSchema(Shape):
    """What a workflow would do, in the order in which it would happen."""

    reason: Annotated[Reason | None, Meta(description="Why the workflow is not started; null: it is.")]
    steps: list[DryStepSchema]


class _RunFields(Shape):
    id: Id
    tenant_id: Id
    event_id: Id
    workflow_id: Id
    workflow_name: str
    workflow_version: Annotated[int, Meta(description="The version that it began with, and finishes on.")]
    recipient_id: Annotated[str | None, Meta(description="null: a person without an id.")]
    state: WorkflowRunState
    at_steps: Annotated[list[str], Meta(description="The ids of the steps at which it is.")]
    wake_at: Annotated[Time | None, Meta(description="When it goes on; null: nothing is left to do.")]
    held_back: Annotated[str | None, Meta(description="Why it cannot go on at the moment; null: it can.")]
    created_at: Time | None
    updated_at: Time | None
    finished_at: Time | None


class WorkflowRunSchema(_RunFields):
    """One workflow for one person."""


class WorkflowStepSchema(Shape):
    """Something that a workflow run did, besides sending."""

    step: Annotated[str | None, Meta(description="The id of the step; null: the run as a whole.")]
    outcome: Annotated[
        str,
        Meta(
            description="`started`, `waiting` (until `until`), `went_on`, `condition_met`, `condition_not_met`,"
            " `passed_over`, `stopped`, `ended` or `failed`."
        ),
    ]
    reason: Reason | None
    detail: str
    until: Time | None


class WorkflowRunWithStepsSchema(_RunFields):
    """A workflow run with what it did until now, besides sending."""

    steps: list[WorkflowStepSchema]


_WORKFLOWS = "/tenants/{id}/workflows"
_WORKFLOW = _WORKFLOWS + "/{workflow_id}"
_RUNS = "/tenants/{id}/workflow-runs"
_RUN = _RUNS + "/{workflow_run_id}"
_DOCUMENT = {
    "filters": {"tags": ["new"]},
    "steps": [
        {"id": "hello", "kind": "send", "channel": "EMAIL", "template": {"key": "welcome"}},
        {"id": "later", "kind": "delay", "for_s": 86400},
        {"id": "tips", "kind": "send", "channel": "EMAIL", "template": {"key": "first_tips"}},
    ],
}

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        _WORKFLOWS,
        "createWorkflow",
        "Create a workflow",
        {201: WorkflowSchema},
        tag=_TAG,
        faults=(409,),
        body=NewWorkflowBody,
        example={"name": "Welcome", "event_type": "user_signup", "document": _DOCUMENT, "active": True},
        description="422 names the step that is at fault.",
    ),
    admin(
        "GET",
        _WORKFLOWS,
        "listWorkflows",
        "List workflows, newest first",
        {200: PageSchema[WorkflowSummarySchema]},
        tag=_TAG,
        parameters=(
            Parameter("scope", Text, "Those of this scope, and of every scope."),
            Parameter("event_type", Text),
            Parameter("active", Flag),
            Parameter("search", Annotated[str, Meta(min_length=1, max_length=100)], "A part of the name, in any case."),
            *PAGING,
        ),
    ),
    admin("GET", _WORKFLOW, "getWorkflow", "Get a workflow", {200: WorkflowSchema}, tag=_TAG),
    admin(
        "PATCH",
        _WORKFLOW,
        "changeWorkflow",
        "Update the fields of a workflow that the body contains",
        {200: WorkflowSchema},
        tag=_TAG,
        faults=(409,),
        body=WorkflowChangeBody,
        example={"active": False},
        description=(
            "Another `document` is a new version; workflow runs finish on the version that they began with. 409: the"
            " name is taken, or `expected_version` is not the current version."
        ),
    ),
    admin(
        "DELETE",
        _WORKFLOW,
        "deleteWorkflow",
        "Delete a workflow",
        {204: None},
        tag=_TAG,
        description="Its workflow runs end when they are looked at next.",
    ),
    admin(
        "GET",
        _WORKFLOW + "/versions",
        "listWorkflowVersions",
        "List the versions of a workflow, newest first",
        {200: PageSchema[WorkflowVersionSummarySchema]},
        tag=_TAG,
        description="The newest 100, and those that workflow runs are on.",
    ),
    admin(
        "GET",
        _WORKFLOW + "/versions/{version}",
        "getWorkflowVersion",
        "Get a version of a workflow",
        {200: WorkflowVersionSchema},
        tag=_TAG,
    ),
    admin(
        "POST",
        "/tenants/{id}/workflow-check",
        "checkWorkflow",
        "Check a document of a workflow, without storing it",
        {200: WorkflowFaultsSchema},
        tag=_TAG,
        body=WorkflowCheckBody,
        example={"document": _DOCUMENT},
    ),
    admin(
        "POST",
        "/tenants/{id}/workflow-dry-run",
        "dryRunWorkflow",
        "Say what a workflow would send to somebody, and when",
        {200: DryRunSchema},
        tag=_TAG,
        body=WorkflowDryRunBody,
        example={
            "document": _DOCUMENT,
            "recipient": {"user_id": "u1", "email": "ada@example.com"},
            "event_type": "user_signup",
            "payload": {"event_data": {"plan": "pro"}},
        },
        description="Sends and stores nothing. Steps whose status is not in `outcomes` count as sent.",
    ),
    admin(
        "GET",
        _RUNS,
        "listWorkflowRuns",
        "List workflow runs, newest first",
        {200: PageSchema[WorkflowRunSchema]},
        tag=_TAG,
        parameters=(
            Parameter("event_id", Id),
            Parameter("workflow_id", Id),
            Parameter("recipient_id", Text),
            Parameter("state", WorkflowRunState),
            *PAGING,
        ),
    ),
    admin(
        "GET", _RUN, "getWorkflowRun", "Get a workflow run with its steps", {200: WorkflowRunWithStepsSchema}, tag=_TAG
    ),
    admin(
        "POST",
        _RUN + "/cancel",
        "cancelWorkflowRun",
        "Cancel a workflow run",
        {200: WorkflowRunSchema},
        tag=_TAG,
        faults=(409,),
        description="Nothing more of it is sent, except what was in hand. 409: it has ended.",
    ),
)
