"""What endpoints are organized by: event types, environments, applications."""

from typing import Annotated

from msgspec import Meta

from gateway import portal
from gateway.admin.applications import ApplicationChangeBody, NewApplicationBody, NewPortalLinkBody
from gateway.admin.environments import EnvironmentChangeBody, NewEnvironmentBody, VisibilityChangeBody
from gateway.admin.event_types import EventTypeChangeBody, NewEventTypeBody
from gateway.openapi.operations import PAGING, Operation, admin
from gateway.openapi.values import Id, PageSchema, Shape, Time

_TYPES = "Event types"
_ENVIRONMENTS = "Environments"
_APPLICATIONS = "Applications"


class EventTypeSchema(Shape):
    """A type of events that endpoints can subscribe to."""

    id: Id
    tenant_id: Id
    name: str
    description: str
    subscriber_count: int
    created_at: Time | None


class EnvironmentSchema(Shape):
    """A part of a tenant with endpoints of its own. Its id is a scope of events and keys."""

    id: Id
    tenant_id: Id
    name: str
    slug: str
    is_default: bool
    created_at: Time | None
    updated_at: Time | None


class VisibilitySchema(Shape):
    """Whether an environment shows an event type in the portal."""

    event_type_id: Id
    event_type: str
    published: bool


class ApplicationSchema(Shape):
    """A customer of the tenant, who manages endpoints in the portal."""

    id: Id
    tenant_id: Id
    external_id: Annotated[str | None, Meta(description="The tenant's own id of it.")]
    name: str
    metadata: dict[str, str]
    max_endpoints: Annotated[int | None, Meta(description="null: no limit.")]
    show_event_types: Annotated[bool, Meta(description="The portal shows it the published event types.")]
    created_at: Time | None
    updated_at: Time | None


class PortalLinkSchema(Shape):
    """A link to the portal of one application, shown only in this response. It can be opened once."""

    url: str
    code: str
    role: portal.Role
    expires_at: Annotated[Time, Meta(description="When the link, and what it opened, ends.")]


_T = "/tenants/{id}/event-types"
_E = "/tenants/{id}/environments"
_A = "/tenants/{id}/applications"

OPERATIONS: tuple[Operation, ...] = (
    admin(
        "POST",
        _T,
        "createEventType",
        "Create an event type",
        {201: EventTypeSchema},
        tag=_TYPES,
        faults=(409,),
        body=NewEventTypeBody,
        example={"name": "order.shipped", "description": "An order left the warehouse."},
    ),
    admin(
        "GET",
        _T,
        "listEventTypes",
        "List event types in the order of their names",
        {200: PageSchema[EventTypeSchema]},
        tag=_TYPES,
        parameters=PAGING,
    ),
    admin("GET", _T + "/{event_type_id}", "getEventType", "Get an event type", {200: EventTypeSchema}, tag=_TYPES),
    admin(
        "PATCH",
        _T + "/{event_type_id}",
        "changeEventType",
        "Update the description of an event type",
        {200: EventTypeSchema},
        tag=_TYPES,
        body=EventTypeChangeBody,
        example={"description": "An order left the warehouse."},
    ),
    admin(
        "DELETE",
        _T + "/{event_type_id}",
        "deleteEventType",
        "Delete an event type with the subscriptions to it",
        {204: None},
        tag=_TYPES,
    ),
    admin(
        "POST",
        _E,
        "createEnvironment",
        "Create an environment",
        {201: EnvironmentSchema},
        tag=_ENVIRONMENTS,
        faults=(409,),
        body=NewEnvironmentBody,
        example={"name": "Staging", "slug": "staging"},
    ),
    admin(
        "GET",
        _E,
        "listEnvironments",
        "List environments, the default one first",
        {200: PageSchema[EnvironmentSchema]},
        tag=_ENVIRONMENTS,
    ),
    admin(
        "GET",
        _E + "/{environment_id}",
        "getEnvironment",
        "Get an environment",
        {200: EnvironmentSchema},
        tag=_ENVIRONMENTS,
    ),
    admin(
        "PATCH",
        _E + "/{environment_id}",
        "changeEnvironment",
        "Rename an environment",
        {200: EnvironmentSchema},
        tag=_ENVIRONMENTS,
        body=EnvironmentChangeBody,
        example={"name": "Staging"},
    ),
    admin(
        "DELETE",
        _E + "/{environment_id}",
        "deleteEnvironment",
        "Delete an environment that has no endpoints",
        {204: None},
        tag=_ENVIRONMENTS,
        faults=(409,),
    ),
    admin(
        "GET",
        _E + "/{environment_id}/event-types",
        "listVisibility",
        "List the event types, with whether the portal shows them",
        {200: PageSchema[VisibilitySchema]},
        tag=_ENVIRONMENTS,
    ),
    admin(
        "PUT",
        _E + "/{environment_id}/event-types/{event_type_id}",
        "setVisibility",
        "Publish an event type in the portal, or hide it",
        {200: VisibilitySchema},
        tag=_ENVIRONMENTS,
        body=VisibilityChangeBody,
        example={"published": True},
    ),
    admin(
        "POST",
        _A,
        "createApplication",
        "Create an application",
        {201: ApplicationSchema},
        tag=_APPLICATIONS,
        faults=(409,),
        body=NewApplicationBody,
        example={"name": "Walnut Lamps", "external_id": "customer-7", "show_event_types": True},
    ),
    admin(
        "GET",
        _A,
        "listApplications",
        "List applications in the order of their creation",
        {200: PageSchema[ApplicationSchema]},
        tag=_APPLICATIONS,
        parameters=PAGING,
    ),
    admin(
        "GET",
        _A + "/{application_id}",
        "getApplication",
        "Get an application",
        {200: ApplicationSchema},
        tag=_APPLICATIONS,
    ),
    admin(
        "PATCH",
        _A + "/{application_id}",
        "changeApplication",
        "Update the fields of an application that the body contains",
        {200: ApplicationSchema},
        tag=_APPLICATIONS,
        faults=(409,),
        body=ApplicationChangeBody,
        example={"max_endpoints": 5},
    ),
    admin(
        "DELETE",
        _A + "/{application_id}",
        "deleteApplication",
        "Delete an application with its endpoints",
        {204: None},
        tag=_APPLICATIONS,
    ),
    admin(
        "POST",
        _A + "/{application_id}/portal",
        "createPortalLink",
        "Create a link to the portal of an application",
        {201: PortalLinkSchema},
        tag=_APPLICATIONS,
        body=NewPortalLinkBody,
        example={"role": "editor", "expires_in_minutes": 60},
        description="The link can be opened once, and gives access to the endpoints of this application only.",
    ),
)
