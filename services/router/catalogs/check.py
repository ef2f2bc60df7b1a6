"""Checks event types, environments and applications as they are sent: pure."""

import re
from collections.abc import Iterator

from clarion.router.v1 import catalogs_pb2
from services.domain.endpoints import DIRECT_EVENT, TEST_EVENT
from services.router.endpoints.check import labels
from services.router.recipients.check import Fault, invalid, tenant, text

MAX_DESCRIPTION = 1_000
MAX_TYPE_NAME = 128
MAX_ENVIRONMENT_NAME, MAX_SLUG = 100, 50
MAX_APPLICATION_NAME, MAX_EXTERNAL_ID, MAX_LABELS = 255, 255, 5
# The offset of a list of applications.
MAX_OFFSET = 10_000

_TYPE_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_SLUG = re.compile(r"[a-z0-9-]+")


def check_event_type(request: catalogs_pb2.CreateEventTypeRequest) -> None:
    """Raise INVALID naming each wrong field."""
    faults = [*tenant(request.tenant_id), *text("description", request.description, limit=MAX_DESCRIPTION)]
    if len(request.name) > MAX_TYPE_NAME or not _TYPE_NAME.fullmatch(request.name):
        rule = 'must be lower-case letters, digits, "_" and "-", in parts with dots between them'
        faults.append(("name", f"{rule}, at most {MAX_TYPE_NAME} characters"))
    if request.name in (DIRECT_EVENT, TEST_EVENT):
        faults.append(("name", "is reserved for what is sent to one endpoint by name"))
    _refuse(faults)


def check_description(description: str) -> None:
    """Raise INVALID for a wrong description."""
    _refuse([*text("description", description, limit=MAX_DESCRIPTION)])


def check_environment(request: catalogs_pb2.CreateEnvironmentRequest) -> None:
    """Raise INVALID naming each wrong field."""
    faults = [*tenant(request.tenant_id), *_name(request.name)]
    if len(request.slug) > MAX_SLUG or not _SLUG.fullmatch(request.slug):
        faults.append(("slug", f'must be lower-case letters, digits and "-", at most {MAX_SLUG} characters'))
    _refuse(faults)


def check_environment_name(name: str) -> None:
    """Raise INVALID for a wrong name."""
    _refuse([*_name(name)])


def check_application(application: catalogs_pb2.Application) -> None:
    """Raise INVALID naming each wrong field."""
    faults = [*tenant(application.tenant_id)]
    faults += text("external_id", application.external_id, limit=MAX_EXTERNAL_ID)
    faults += text("name", application.name, limit=MAX_APPLICATION_NAME, required=True)
    faults += labels("metadata", application.metadata, most=MAX_LABELS)
    faults += _limit(application.max_endpoints if application.HasField("max_endpoints") else 0)
    _refuse(faults)


def check_application_change(request: catalogs_pb2.UpdateApplicationRequest) -> None:
    """Raise INVALID naming each wrong field."""
    faults: list[Fault] = []
    if request.HasField("name"):
        faults += text("name", request.name, limit=MAX_APPLICATION_NAME, required=True)
    faults += labels("metadata", request.metadata.values, most=MAX_LABELS)
    faults += _limit(request.max_endpoints.value)
    _refuse(faults)


def _name(name: str) -> Iterator[Fault]:
    yield from text("name", name, limit=MAX_ENVIRONMENT_NAME, required=True)


def _limit(most: int) -> Iterator[Fault]:
    if most < 0:
        yield "max_endpoints", "must not be negative"


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise invalid(faults)
