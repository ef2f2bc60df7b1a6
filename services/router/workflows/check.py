"""Checks workflows as they are sent: pure. What a document refers to is checked in references.py."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from clarion.router.v1 import workflows_pb2
from runtime.errors import ClarionError
from services.router.recipients.check import Fault, invalid, tenant, text
from services.router.workflows.document import Document, parse

MAX_NAME, MAX_DESCRIPTION, MAX_EVENT_TYPE, MAX_BY = 100, 1_000, 255, 255


@dataclass(frozen=True, slots=True)
class WorkflowFields:
    """What a caller sets of a workflow. scope: the id of an environment; empty: every scope."""

    scope: str
    name: str
    description: str
    event_type: str
    active: bool


def new_workflow(request: workflows_pb2.CreateWorkflowRequest) -> tuple[WorkflowFields, Document]:
    """Return the workflow. Raises INVALID naming each wrong field."""
    wanted = request.workflow
    fields = WorkflowFields(wanted.scope, wanted.name, wanted.description, wanted.event_type, wanted.active)
    faults = [*tenant(wanted.tenant_id), *_wrong(fields), *text("by", request.by, limit=MAX_BY)]
    return fields, _document(wanted.document, faults)


def changed(
    old: WorkflowFields, request: workflows_pb2.UpdateWorkflowRequest
) -> tuple[WorkflowFields, Document | None]:
    """Return the workflow with the fields that are present; None: its document stays. Raises INVALID as above."""
    given = {
        name: getattr(request, name)
        for name in ("name", "description", "event_type", "active")
        if request.HasField(name)
    }
    fields = replace(old, **given)
    faults = [*_wrong(fields), *text("by", request.by, limit=MAX_BY)]
    if request.expected_version < 0 or (request.expected_version and not request.HasField("document")):
        faults.append(("expected_version", "must be a version, and is for another document"))
    if request.HasField("document"):
        return fields, _document(request.document, faults)
    if faults:
        raise invalid(faults)
    return fields, None


def _wrong(fields: WorkflowFields) -> Iterator[Fault]:
    yield from text("name", fields.name, limit=MAX_NAME, required=True)
    yield from text("description", fields.description, limit=MAX_DESCRIPTION)
    yield from text("event_type", fields.event_type, limit=MAX_EVENT_TYPE, required=True)


def _document(raw: bytes, faults: list[Fault]) -> Document:
    """Return the document, or raise INVALID with these faults and its own."""
    try:
        document = parse(raw)
    except ClarionError as error:
        if not faults:
            raise  # its sentence names the steps
        raise invalid([*faults, *error.fields]) from None
    if faults:
        raise invalid(faults)
    return document
