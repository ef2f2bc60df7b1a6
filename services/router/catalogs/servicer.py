"""CatalogService: wire to stores."""

from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from clarion.router.v1 import catalogs_pb2, catalogs_pb2_grpc
from runtime import logs
from runtime.clock import micros_of
from services.domain.checks import check_id, invalid
from services.domain.paging import page_limit
from services.router.catalogs import check
from services.router.catalogs.applications.store import ApplicationChange, ApplicationStore, Limit, NewApplication
from services.router.catalogs.environments.store import EnvironmentStore
from services.router.catalogs.event_types.store import EventTypeStore

CATALOG_SERVICE = "clarion.router.v1.CatalogService"

_MAX_LIMIT = 1_000
_decode_labels = msgspec.json.Decoder(dict[str, str]).decode

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class CatalogStores:
    """The tables of the service."""

    event_types: EventTypeStore
    environments: EnvironmentStore
    applications: ApplicationStore


class CatalogServicer(catalogs_pb2_grpc.CatalogServiceServicer):
    """See proto/clarion/router/v1/catalogs.proto."""

    def __init__(self, stores: CatalogStores) -> None:
        self._event_types = stores.event_types
        self._environments = stores.environments
        self._applications = stores.applications

    async def CreateEventType(
        self, request: catalogs_pb2.CreateEventTypeRequest, context: Any
    ) -> catalogs_pb2.CreateEventTypeResponse:
        """Store an event type."""
        check.check_event_type(request)
        row, revision = await self._event_types.create(request.tenant_id, request.name, request.description)
        log.info("event_type_created", tenant_id=request.tenant_id, event_type=request.name)
        return catalogs_pb2.CreateEventTypeResponse(event_type=_event_type(request.tenant_id, row), revision=revision)

    async def GetEventType(
        self, request: catalogs_pb2.GetEventTypeRequest, context: Any
    ) -> catalogs_pb2.GetEventTypeResponse:
        """Return an event type."""
        _check_ids(request, "tenant_id", "event_type_id")
        row = await self._event_types.get(request.tenant_id, request.event_type_id)
        return catalogs_pb2.GetEventTypeResponse(event_type=_event_type(request.tenant_id, row))

    async def ListEventTypes(
        self, request: catalogs_pb2.ListEventTypesRequest, context: Any
    ) -> catalogs_pb2.ListEventTypesResponse:
        """List event types. The cursor is the last one's name."""
        limit = page_limit(request.limit, default=100, largest=_MAX_LIMIT)
        _check_ids(request, "tenant_id")
        if len(request.cursor) > check.MAX_TYPE_NAME or "\0" in request.cursor:
            raise invalid("cursor", "must be the next_cursor of the previous page")
        rows = await self._event_types.page(request.tenant_id, request.cursor, limit)
        return catalogs_pb2.ListEventTypesResponse(
            event_types=[_event_type(request.tenant_id, row) for row in rows],
            next_cursor=rows[-1]["name"] if len(rows) == limit else "",
        )

    async def UpdateEventType(
        self, request: catalogs_pb2.UpdateEventTypeRequest, context: Any
    ) -> catalogs_pb2.UpdateEventTypeResponse:
        """Change an event type."""
        _check_ids(request, "tenant_id", "event_type_id")
        check.check_description(request.description)
        description = request.description if request.HasField("description") else None
        row = await self._event_types.update(request.tenant_id, request.event_type_id, description)
        return catalogs_pb2.UpdateEventTypeResponse(event_type=_event_type(request.tenant_id, row))

    async def DeleteEventType(
        self, request: catalogs_pb2.DeleteEventTypeRequest, context: Any
    ) -> catalogs_pb2.DeleteEventTypeResponse:
        """Delete an event type."""
        _check_ids(request, "tenant_id", "event_type_id")
        revision = await self._event_types.delete(request.tenant_id, request.event_type_id)
        log.info("event_type_deleted", tenant_id=request.tenant_id, event_type_id=request.event_type_id)
        return catalogs_pb2.DeleteEventTypeResponse(revision=revision)

    async def CreateEnvironment(
        self, request: catalogs_pb2.CreateEnvironmentRequest, context: Any
    ) -> catalogs_pb2.CreateEnvironmentResponse:
        """Store an environment."""
        check.check_environment(request)
        row = await self._environments.create(request.tenant_id, request.name, request.slug)
        log.info("environment_created", tenant_id=request.tenant_id, environment_id=str(row["id"]))
        return catalogs_pb2.CreateEnvironmentResponse(environment=_environment(request.tenant_id, row))

    async def GetEnvironment(
        self, request: catalogs_pb2.GetEnvironmentRequest, context: Any
    ) -> catalogs_pb2.GetEnvironmentResponse:
        """Return an environment."""
        _check_ids(request, "tenant_id")
        check_id("environment_id", request.environment_id, required=False)
        row = await self._environments.get(request.tenant_id, request.environment_id)
        return catalogs_pb2.GetEnvironmentResponse(environment=_environment(request.tenant_id, row))

    async def ListEnvironments(
        self, request: catalogs_pb2.ListEnvironmentsRequest, context: Any
    ) -> catalogs_pb2.ListEnvironmentsResponse:
        """List environments."""
        _check_ids(request, "tenant_id")
        rows = await self._environments.list(request.tenant_id)
        return catalogs_pb2.ListEnvironmentsResponse(
            environments=[_environment(request.tenant_id, row) for row in rows]
        )

    async def UpdateEnvironment(
        self, request: catalogs_pb2.UpdateEnvironmentRequest, context: Any
    ) -> catalogs_pb2.UpdateEnvironmentResponse:
        """Change an environment."""
        _check_ids(request, "tenant_id", "environment_id")
        if request.HasField("name"):
            check.check_environment_name(request.name)
        name = request.name if request.HasField("name") else None
        row = await self._environments.rename(request.tenant_id, request.environment_id, name)
        return catalogs_pb2.UpdateEnvironmentResponse(environment=_environment(request.tenant_id, row))

    async def DeleteEnvironment(
        self, request: catalogs_pb2.DeleteEnvironmentRequest, context: Any
    ) -> catalogs_pb2.DeleteEnvironmentResponse:
        """Delete an environment."""
        _check_ids(request, "tenant_id", "environment_id")
        await self._environments.delete(request.tenant_id, request.environment_id)
        log.info("environment_deleted", tenant_id=request.tenant_id, environment_id=request.environment_id)
        return catalogs_pb2.DeleteEnvironmentResponse()

    async def ListVisibility(
        self, request: catalogs_pb2.ListVisibilityRequest, context: Any
    ) -> catalogs_pb2.ListVisibilityResponse:
        """Return all event types, with whether an environment shows them."""
        _check_ids(request, "tenant_id", "environment_id")
        await self._environments.get(request.tenant_id, request.environment_id)
        rows = await self._event_types.visibility(request.tenant_id, request.environment_id)
        return catalogs_pb2.ListVisibilityResponse(
            visibilities=[
                catalogs_pb2.Visibility(
                    event_type_id=str(row["id"]), event_type=row["name"], published=row["published"]
                )
                for row in rows
            ]
        )

    async def SetVisibility(
        self, request: catalogs_pb2.SetVisibilityRequest, context: Any
    ) -> catalogs_pb2.SetVisibilityResponse:
        """Show or hide an event type."""
        _check_ids(request, "tenant_id", "environment_id", "event_type_id")
        await self._environments.get(request.tenant_id, request.environment_id)
        name = await self._event_types.set_visibility(
            request.tenant_id, request.environment_id, request.event_type_id, published=request.published
        )
        return catalogs_pb2.SetVisibilityResponse(
            visibility=catalogs_pb2.Visibility(
                event_type_id=request.event_type_id, event_type=name, published=request.published
            )
        )

    async def CreateApplication(
        self, request: catalogs_pb2.CreateApplicationRequest, context: Any
    ) -> catalogs_pb2.CreateApplicationResponse:
        """Store an application."""
        wanted = request.application
        check.check_application(wanted)
        new = NewApplication(
            external_id=wanted.external_id,
            name=wanted.name,
            metadata=dict(wanted.metadata),
            max_endpoints=wanted.max_endpoints if wanted.HasField("max_endpoints") else None,
            show_event_types=wanted.show_event_types,
        )
        row = await self._applications.create(wanted.tenant_id, new)
        log.info("application_created", tenant_id=wanted.tenant_id, application_id=str(row["id"]))
        return catalogs_pb2.CreateApplicationResponse(application=_application(wanted.tenant_id, row))

    async def GetApplication(
        self, request: catalogs_pb2.GetApplicationRequest, context: Any
    ) -> catalogs_pb2.GetApplicationResponse:
        """Return an application."""
        _check_ids(request, "tenant_id", "application_id")
        row = await self._applications.get(request.tenant_id, request.application_id)
        return catalogs_pb2.GetApplicationResponse(application=_application(request.tenant_id, row))

    async def ListApplications(
        self, request: catalogs_pb2.ListApplicationsRequest, context: Any
    ) -> catalogs_pb2.ListApplicationsResponse:
        """List applications."""
        limit = page_limit(request.limit, largest=_MAX_LIMIT)
        _check_ids(request, "tenant_id")
        if not 0 <= request.offset <= check.MAX_OFFSET:
            raise invalid("offset", f"must be from 0 to {check.MAX_OFFSET:,}")
        rows = await self._applications.page(request.tenant_id, limit, request.offset)
        return catalogs_pb2.ListApplicationsResponse(
            applications=[_application(request.tenant_id, row) for row in rows]
        )

    async def UpdateApplication(
        self, request: catalogs_pb2.UpdateApplicationRequest, context: Any
    ) -> catalogs_pb2.UpdateApplicationResponse:
        """Change an application."""
        _check_ids(request, "tenant_id", "application_id")
        check.check_application_change(request)
        limit = request.max_endpoints
        change = ApplicationChange(
            name=request.name if request.HasField("name") else None,
            metadata=dict(request.metadata.values) if request.HasField("metadata") else None,
            max_endpoints=Limit(limit.value if limit.HasField("value") else None)
            if request.HasField("max_endpoints")
            else None,
            show_event_types=request.show_event_types if request.HasField("show_event_types") else None,
        )
        row = await self._applications.update(request.tenant_id, request.application_id, change)
        return catalogs_pb2.UpdateApplicationResponse(application=_application(request.tenant_id, row))

    async def DeleteApplication(
        self, request: catalogs_pb2.DeleteApplicationRequest, context: Any
    ) -> catalogs_pb2.DeleteApplicationResponse:
        """Delete an application with its endpoints."""
        _check_ids(request, "tenant_id", "application_id")
        revision = await self._applications.delete(request.tenant_id, request.application_id)
        log.info("application_deleted", tenant_id=request.tenant_id, application_id=request.application_id)
        return catalogs_pb2.DeleteApplicationResponse(revision=revision)


def _check_ids(request: Any, *fields: str) -> None:
    for field in fields:
        check_id(field, getattr(request, field))


def _event_type(tenant_id: str, row: asyncpg.Record) -> catalogs_pb2.EventType:
    return catalogs_pb2.EventType(
        id=str(row["id"]),
        tenant_id=tenant_id,
        name=row["name"],
        description=row["description"],
        subscriber_count=row["subscribers"],
        created_at_us=micros_of(row["created_at"]),
    )


def _environment(tenant_id: str, row: asyncpg.Record) -> catalogs_pb2.Environment:
    return catalogs_pb2.Environment(
        id=str(row["id"]),
        tenant_id=tenant_id,
        name=row["name"],
        slug=row["slug"],
        is_default=row["is_default"],
        created_at_us=micros_of(row["created_at"]),
        updated_at_us=micros_of(row["updated_at"]),
    )


def _application(tenant_id: str, row: asyncpg.Record) -> catalogs_pb2.Application:
    return catalogs_pb2.Application(
        id=str(row["id"]),
        tenant_id=tenant_id,
        external_id=row["external_id"],
        name=row["name"],
        metadata=_decode_labels(row["metadata"]),
        max_endpoints=row["max_endpoints"],
        show_event_types=row["show_event_types"],
        created_at_us=micros_of(row["created_at"]),
        updated_at_us=micros_of(row["updated_at"]),
    )
