"""WorkflowService: wire to store. Its methods about runs are those of services/router/workflow_runs."""

from typing import Any

from clarion.router.v1 import workflows_pb2, workflows_pb2_grpc
from runtime import logs
from runtime.clock import micros_of
from services.domain.checks import check_id, invalid
from services.domain.paging import page_limit
from services.router.workflows import check, document
from services.router.workflows.check import MAX_EVENT_TYPE, MAX_NAME, WorkflowFields
from services.router.workflows.document import Document
from services.router.workflows.references import References
from services.router.workflows.store import Activity, StoredWorkflow, WorkflowSearch, WorkflowStore

WORKFLOW_SERVICE = "clarion.router.v1.WorkflowService"

_MAX_OFFSET = 10_000
# Open runs of a workflow are counted up to here.
_MAX_COUNTED, _MAX_COUNTED_IN_LIST = 1_000_000, 1_000
_NONE = Activity()

log = logs.get(__name__)


class WorkflowServicer(workflows_pb2_grpc.WorkflowServiceServicer):
    """See proto/clarion/router/v1/workflows.proto."""

    def __init__(self, store: WorkflowStore, references: References) -> None:
        self._store = store
        self._references = references

    async def CreateWorkflow(
        self, request: workflows_pb2.CreateWorkflowRequest, context: Any
    ) -> workflows_pb2.CreateWorkflowResponse:
        """Store a workflow."""
        fields, new = check.new_workflow(request)
        check_id("scope", fields.scope, required=False)
        tenant_id = request.workflow.tenant_id
        await self._references.check(tenant_id, new)
        stored, revision = await self._store.create(tenant_id, fields, new, request.by)
        log.info("workflow_created", tenant_id=tenant_id, workflow_id=stored.id, event_type=fields.event_type)
        return workflows_pb2.CreateWorkflowResponse(workflow=_workflow(tenant_id, stored), revision=revision)

    async def GetWorkflow(
        self, request: workflows_pb2.GetWorkflowRequest, context: Any
    ) -> workflows_pb2.GetWorkflowResponse:
        """Return a workflow."""
        _check_ids(request, "tenant_id")
        check_id("scope", request.scope, required=False)
        if request.workflow_id:
            _check_ids(request, "workflow_id")
            stored = await self._store.get(request.tenant_id, request.workflow_id)
        elif 1 <= len(request.name) <= MAX_NAME and "\0" not in request.name:
            stored = await self._store.by_name(request.tenant_id, request.scope, request.name)
        else:
            raise invalid("name", f"must have 1 to {MAX_NAME} characters, none of them NUL, if there is no workflow_id")
        activity = _NONE
        if not request.without_activity:
            activity = (await self._store.activity(request.tenant_id, [stored.id], _MAX_COUNTED))[stored.id]
        return workflows_pb2.GetWorkflowResponse(workflow=_workflow(request.tenant_id, stored, activity))

    async def ListWorkflows(
        self, request: workflows_pb2.ListWorkflowsRequest, context: Any
    ) -> workflows_pb2.ListWorkflowsResponse:
        """Return a page of workflows, newest first."""
        limit = page_limit(request.limit)
        _check_ids(request, "tenant_id")
        for field in ("scope", "cursor"):
            check_id(field, getattr(request, field), required=False)
        for field, most in (("event_type", MAX_EVENT_TYPE), ("search", MAX_NAME)):
            if len(value := getattr(request, field)) > most or "\0" in value:
                raise invalid(field, f"must have at most {most} characters, none of them NUL")
        if not 0 <= request.offset <= _MAX_OFFSET:
            raise invalid("offset", f"must be from 0 to {_MAX_OFFSET:,}")
        active = request.active if request.HasField("active") else None
        search = WorkflowSearch(
            request.scope, request.event_type, active, request.search, request.cursor, request.offset
        )
        found, total = await self._store.page(request.tenant_id, search, limit)
        activity = await self._store.activity(request.tenant_id, [one.id for one in found], _MAX_COUNTED_IN_LIST)
        return workflows_pb2.ListWorkflowsResponse(
            workflows=[_workflow(request.tenant_id, one, activity[one.id]) for one in found],
            next_cursor=found[-1].id if len(found) == limit else "",
            total=total,
        )

    async def UpdateWorkflow(
        self, request: workflows_pb2.UpdateWorkflowRequest, context: Any
    ) -> workflows_pb2.UpdateWorkflowResponse:
        """Change a workflow."""
        _check_ids(request, "tenant_id", "workflow_id")
        if request.HasField("document"):
            await self._references.check(request.tenant_id, document.parse(request.document))

        def change(old: WorkflowFields) -> tuple[WorkflowFields, Document | None]:
            return check.changed(old, request)

        stored, revision = await self._store.update(
            request.tenant_id,
            request.workflow_id,
            change,
            expected_version=request.expected_version,
            by=request.by,
        )
        log.info(
            "workflow_updated", tenant_id=request.tenant_id, workflow_id=request.workflow_id, version=stored.version
        )
        return workflows_pb2.UpdateWorkflowResponse(workflow=_workflow(request.tenant_id, stored), revision=revision)

    async def DeleteWorkflow(
        self, request: workflows_pb2.DeleteWorkflowRequest, context: Any
    ) -> workflows_pb2.DeleteWorkflowResponse:
        """Delete a workflow."""
        _check_ids(request, "tenant_id", "workflow_id")
        revision = await self._store.delete(request.tenant_id, request.workflow_id)
        log.info("workflow_deleted", tenant_id=request.tenant_id, workflow_id=request.workflow_id)
        return workflows_pb2.DeleteWorkflowResponse(revision=revision)

    async def ListWorkflowVersions(
        self, request: workflows_pb2.ListWorkflowVersionsRequest, context: Any
    ) -> workflows_pb2.ListWorkflowVersionsResponse:
        """Return the newest versions, newest first."""
        _check_ids(request, "tenant_id", "workflow_id")
        rows = await self._store.versions(request.tenant_id, request.workflow_id)
        return workflows_pb2.ListWorkflowVersionsResponse(versions=map(_version, rows))

    async def GetWorkflowVersion(
        self, request: workflows_pb2.GetWorkflowVersionRequest, context: Any
    ) -> workflows_pb2.GetWorkflowVersionResponse:
        """Return a version with its document."""
        _check_ids(request, "tenant_id", "workflow_id")
        if request.version < 1:
            raise invalid("version", "must be at least 1")
        row = await self._store.version(request.tenant_id, request.workflow_id, request.version)
        found = _version(row)
        found.document = row["document"].encode()
        return workflows_pb2.GetWorkflowVersionResponse(version=found)

    async def CheckWorkflow(
        self, request: workflows_pb2.CheckWorkflowRequest, context: Any
    ) -> workflows_pb2.CheckWorkflowResponse:
        """Return what is wrong with a document."""
        _check_ids(request, "tenant_id")
        found, faults = document.read(request.document)
        if found is not None:
            faults = await self._references.faults(request.tenant_id, found)
        return workflows_pb2.CheckWorkflowResponse(
            faults=[
                workflows_pb2.DocumentFault(field=one.field, step=one.step, description=one.description)
                for one in faults
            ]
        )


def _check_ids(request: Any, *fields: str) -> None:
    for field in fields:
        check_id(field, getattr(request, field))


def _workflow(tenant_id: str, stored: StoredWorkflow, activity: Activity = _NONE) -> workflows_pb2.Workflow:
    """Return the workflow; without its document if that was not read."""
    fields, row = stored.fields, stored.row
    text = row.get("document")
    return workflows_pb2.Workflow(
        id=stored.id,
        tenant_id=tenant_id,
        scope=fields.scope,
        name=fields.name,
        description=fields.description,
        event_type=fields.event_type,
        active=fields.active,
        version=stored.version,
        document=text.encode() if text else b"",
        created_at_us=micros_of(row["created_at"]),
        updated_at_us=micros_of(row["updated_at"]),
        open_runs=activity.open_runs,
        last_started_at_us=activity.last_started_at_us,
    )


def _version(row: Any) -> workflows_pb2.WorkflowVersionInfo:
    return workflows_pb2.WorkflowVersionInfo(
        version=row["version"], created_at_us=micros_of(row["created_at"]), created_by=row["created_by"]
    )
