"""The router behind the webhooks of the admin API and of the portal, played by a test in memory.

As the real one does, it answers NOT_FOUND for what belongs to another tenant.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any

from clarion.router.v1 import (
    catalogs_pb2,
    catalogs_pb2_grpc,
    endpoints_pb2,
    endpoints_pb2_grpc,
    portal_pb2,
    portal_pb2_grpc,
)
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain.checks import invalid
from services.domain.endpoints import event_type_id

NOW_US = 1_800_000_000_000_000
SECRET = "whsec_dGVzdF93ZWJob29rX3NpZ25pbmdfa2V5XzMyYnl0ZXMh"


def not_found() -> ClarionError:
    """Return what the services answer about another tenant's things."""
    return ClarionError(Code.NOT_FOUND, "There is nothing with this id.")


@dataclass
class Router(
    endpoints_pb2_grpc.EndpointServiceServicer,
    catalogs_pb2_grpc.CatalogServiceServicer,
    portal_pb2_grpc.PortalServiceServicer,
):
    """Endpoints, subscriptions, catalogs and portal sessions. links, sessions: by code and token."""

    endpoints: dict[str, endpoints_pb2.Endpoint] = field(default_factory=dict)
    types: dict[str, catalogs_pb2.EventType] = field(default_factory=dict)
    applications: dict[str, catalogs_pb2.Application] = field(default_factory=dict)
    published: set[str] = field(default_factory=set)
    subscriptions: dict[tuple[str, str], endpoints_pb2.Subscription] = field(default_factory=dict)
    links: dict[str, portal_pb2.PortalSession] = field(default_factory=dict)
    sessions: dict[str, portal_pb2.PortalSession] = field(default_factory=dict)
    environment_id: str = field(default_factory=new_id)
    asked: list[Any] = field(default_factory=list)
    revision: int = 0

    def _raise_revision(self, request: Any) -> int:
        self.asked.append(request)
        self.revision += 1
        return self.revision

    def _endpoint(self, request: Any) -> endpoints_pb2.Endpoint:
        endpoint = self.endpoints.get(request.endpoint_id)
        if endpoint is None or endpoint.tenant_id != request.tenant_id:
            raise not_found()
        return endpoint

    async def CreateEndpoint(self, request: Any, _: Any) -> endpoints_pb2.CreateEndpointResponse:
        """Store it."""
        if (
            not request.endpoint.url.startswith("https://")
            and request.endpoint.mode != endpoints_pb2.ENDPOINT_MODE_POLLED
        ):
            raise invalid("url", "must be an https URL")
        endpoint = endpoints_pb2.Endpoint()
        endpoint.CopyFrom(request.endpoint)
        endpoint.id, endpoint.tenant_id, endpoint.active = new_id(), request.tenant_id, True
        endpoint.environment_id = endpoint.environment_id or self.environment_id
        endpoint.created_at_us = endpoint.updated_at_us = NOW_US
        endpoint.secrets.add(last4=SECRET[-4:], created_at_us=NOW_US)
        self.endpoints[endpoint.id] = endpoint
        revision = self._raise_revision(request)
        return endpoints_pb2.CreateEndpointResponse(endpoint=endpoint, secret=SECRET, revision=revision)

    async def GetEndpoint(self, request: Any, _: Any) -> endpoints_pb2.GetEndpointResponse:
        """Return it."""
        return endpoints_pb2.GetEndpointResponse(endpoint=self._endpoint(request))

    async def ListEndpoints(self, request: Any, _: Any) -> endpoints_pb2.ListEndpointsResponse:
        """Return those of the tenant and the application."""
        self.asked.append(request)
        found = [one for one in self.endpoints.values() if one.tenant_id == request.tenant_id]
        if request.application_id:
            found = [one for one in found if one.application_id == request.application_id]
        return endpoints_pb2.ListEndpointsResponse(endpoints=found)

    async def UpdateEndpoint(self, request: Any, _: Any) -> endpoints_pb2.UpdateEndpointResponse:
        """Change the fields that are present."""
        endpoint = self._endpoint(request)
        if request.HasField("url") and not request.url.startswith("https://"):
            raise invalid("url", "must be an https URL")
        for name in ("url", "description", "active", "mode", "rate_per_s"):
            if request.HasField(name):
                setattr(endpoint, name, getattr(request, name))
        return endpoints_pb2.UpdateEndpointResponse(endpoint=endpoint, revision=self._raise_revision(request))

    async def DeleteEndpoint(self, request: Any, _: Any) -> endpoints_pb2.DeleteEndpointResponse:
        """Delete it."""
        del self.endpoints[self._endpoint(request).id]
        return endpoints_pb2.DeleteEndpointResponse(revision=self._raise_revision(request))

    async def RotateSecret(self, request: Any, _: Any) -> endpoints_pb2.RotateSecretResponse:
        """Answer a secret."""
        endpoint = self._endpoint(request)
        return endpoints_pb2.RotateSecretResponse(
            endpoint=endpoint, secret=SECRET, revision=self._raise_revision(request)
        )

    async def RevealSecret(self, request: Any, _: Any) -> endpoints_pb2.RevealSecretResponse:
        """Answer the secret."""
        self._endpoint(request)
        self.asked.append(request)
        return endpoints_pb2.RevealSecretResponse(secret=SECRET)

    async def RenewEndpointSecrets(self, _request: Any, _: Any) -> endpoints_pb2.RenewEndpointSecretsResponse:
        """Answer one, and one that is unreadable."""
        return endpoints_pb2.RenewEndpointSecretsResponse(renewed=1, unreadable_endpoint_ids=[new_id()])

    async def Subscribe(self, request: Any, _: Any) -> endpoints_pb2.SubscribeResponse:
        """Store the subscriptions."""
        self._endpoint(request)
        new = 0
        for type_id in request.event_type_ids:
            kind = self.types.get(type_id)
            if kind is None or kind.tenant_id != request.tenant_id:
                raise not_found()
            key = (request.endpoint_id, type_id)
            new += key not in self.subscriptions
            known = self.subscriptions.setdefault(
                key,
                endpoints_pb2.Subscription(
                    id=new_id(),
                    endpoint_id=request.endpoint_id,
                    event_type_id=type_id,
                    event_type=kind.name,
                    created_at_us=NOW_US,
                ),
            )
            if request.HasField("filter"):
                known.filter = request.filter
        return endpoints_pb2.SubscribeResponse(subscribed=new, revision=self._raise_revision(request))

    async def Unsubscribe(self, request: Any, _: Any) -> endpoints_pb2.UnsubscribeResponse:
        """Delete one."""
        self._endpoint(request)
        if self.subscriptions.pop((request.endpoint_id, request.event_type_id), None) is None:
            raise not_found()
        return endpoints_pb2.UnsubscribeResponse(revision=self._raise_revision(request))

    async def ListSubscriptions(self, request: Any, _: Any) -> endpoints_pb2.ListSubscriptionsResponse:
        """Return those of the endpoint."""
        self._endpoint(request)
        found = [one for one in self.subscriptions.values() if one.endpoint_id == request.endpoint_id]
        return endpoints_pb2.ListSubscriptionsResponse(subscriptions=found)

    def add_type(self, tenant_id: str, name: str, *, published: bool = True) -> str:
        """Store an event type; return its id."""
        type_id = event_type_id(tenant_id, name)
        self.types[type_id] = catalogs_pb2.EventType(id=type_id, tenant_id=tenant_id, name=name, created_at_us=NOW_US)
        if published:
            self.published.add(type_id)
        return type_id

    async def CreateEventType(self, request: Any, _: Any) -> catalogs_pb2.CreateEventTypeResponse:
        """Store it."""
        if event_type_id(request.tenant_id, request.name) in self.types:
            raise ClarionError(Code.CONFLICT, "The event type exists already.")
        kind = self.types[self.add_type(request.tenant_id, request.name)]
        kind.description = request.description
        return catalogs_pb2.CreateEventTypeResponse(event_type=kind)

    def _type(self, request: Any) -> catalogs_pb2.EventType:
        kind = self.types.get(request.event_type_id)
        if kind is None or kind.tenant_id != request.tenant_id:
            raise not_found()
        return kind

    async def GetEventType(self, request: Any, _: Any) -> catalogs_pb2.GetEventTypeResponse:
        """Return it."""
        return catalogs_pb2.GetEventTypeResponse(event_type=self._type(request))

    async def ListEventTypes(self, request: Any, _: Any) -> catalogs_pb2.ListEventTypesResponse:
        """Return those of the tenant."""
        found = [one for one in self.types.values() if one.tenant_id == request.tenant_id]
        return catalogs_pb2.ListEventTypesResponse(event_types=found)

    async def UpdateEventType(self, request: Any, _: Any) -> catalogs_pb2.UpdateEventTypeResponse:
        """Change the description."""
        kind = self._type(request)
        if request.HasField("description"):
            kind.description = request.description
        return catalogs_pb2.UpdateEventTypeResponse(event_type=kind)

    async def DeleteEventType(self, request: Any, _: Any) -> catalogs_pb2.DeleteEventTypeResponse:
        """Delete it."""
        del self.types[self._type(request).id]
        return catalogs_pb2.DeleteEventTypeResponse(revision=self._raise_revision(request))

    async def CreateEnvironment(self, request: Any, _: Any) -> catalogs_pb2.CreateEnvironmentResponse:
        """Answer it."""
        return catalogs_pb2.CreateEnvironmentResponse(environment=self._environment(request))

    async def GetEnvironment(self, request: Any, _: Any) -> catalogs_pb2.GetEnvironmentResponse:
        """Answer it."""
        return catalogs_pb2.GetEnvironmentResponse(environment=self._environment(request))

    async def ListEnvironments(self, request: Any, _: Any) -> catalogs_pb2.ListEnvironmentsResponse:
        """Answer one."""
        return catalogs_pb2.ListEnvironmentsResponse(environments=[self._environment(request)])

    async def UpdateEnvironment(self, request: Any, _: Any) -> catalogs_pb2.UpdateEnvironmentResponse:
        """Answer it."""
        return catalogs_pb2.UpdateEnvironmentResponse(environment=self._environment(request))

    async def DeleteEnvironment(self, _request: Any, _: Any) -> catalogs_pb2.DeleteEnvironmentResponse:
        """Refuse: it is the default one."""
        raise ClarionError(Code.CONFLICT, "The default environment cannot be deleted.")

    def _environment(self, request: Any) -> catalogs_pb2.Environment:
        return catalogs_pb2.Environment(
            id=self.environment_id,
            tenant_id=request.tenant_id,
            name=getattr(request, "name", "") or "Production",
            slug=getattr(request, "slug", "") or "production",
            is_default=True,
            created_at_us=NOW_US,
            updated_at_us=NOW_US,
        )

    async def ListVisibility(self, request: Any, _: Any) -> catalogs_pb2.ListVisibilityResponse:
        """Return the tenant's types."""
        found = [
            catalogs_pb2.Visibility(event_type_id=one.id, event_type=one.name, published=one.id in self.published)
            for one in self.types.values()
            if one.tenant_id == request.tenant_id
        ]
        return catalogs_pb2.ListVisibilityResponse(visibilities=found)

    async def SetVisibility(self, request: Any, _: Any) -> catalogs_pb2.SetVisibilityResponse:
        """Publish or hide a type."""
        kind = self._type(request)
        (self.published.add if request.published else self.published.discard)(kind.id)
        shown = catalogs_pb2.Visibility(event_type_id=kind.id, event_type=kind.name, published=request.published)
        return catalogs_pb2.SetVisibilityResponse(visibility=shown)

    def add_application(self, tenant_id: str, name: str = "Walnut Lamps", *, show_event_types: bool = True) -> str:
        """Store an application; return its id."""
        application = catalogs_pb2.Application(
            id=new_id(),
            tenant_id=tenant_id,
            name=name,
            show_event_types=show_event_types,
            created_at_us=NOW_US,
            updated_at_us=NOW_US,
        )
        self.applications[application.id] = application
        return application.id

    def _application(self, request: Any) -> catalogs_pb2.Application:
        application = self.applications.get(request.application_id)
        if application is None or application.tenant_id != request.tenant_id:
            raise not_found()
        return application

    async def CreateApplication(self, request: Any, _: Any) -> catalogs_pb2.CreateApplicationResponse:
        """Store it."""
        application = self.applications[self.add_application(request.application.tenant_id, request.application.name)]
        application.external_id = request.application.external_id
        application.metadata.update(request.application.metadata)
        if request.application.HasField("max_endpoints"):
            application.max_endpoints = request.application.max_endpoints
        return catalogs_pb2.CreateApplicationResponse(application=application)

    async def GetApplication(self, request: Any, _: Any) -> catalogs_pb2.GetApplicationResponse:
        """Return it."""
        return catalogs_pb2.GetApplicationResponse(application=self._application(request))

    async def ListApplications(self, request: Any, _: Any) -> catalogs_pb2.ListApplicationsResponse:
        """Return a page."""
        found = [one for one in self.applications.values() if one.tenant_id == request.tenant_id]
        return catalogs_pb2.ListApplicationsResponse(
            applications=found[request.offset : request.offset + request.limit]
        )

    async def UpdateApplication(self, request: Any, _: Any) -> catalogs_pb2.UpdateApplicationResponse:
        """Change the number of endpoints; no value: no limit."""
        application = self._application(request)
        if request.HasField("max_endpoints"):
            application.ClearField("max_endpoints")
            if request.max_endpoints.HasField("value"):
                application.max_endpoints = request.max_endpoints.value
        return catalogs_pb2.UpdateApplicationResponse(application=application)

    async def DeleteApplication(self, request: Any, _: Any) -> catalogs_pb2.DeleteApplicationResponse:
        """Delete it."""
        del self.applications[self._application(request).id]
        return catalogs_pb2.DeleteApplicationResponse(revision=self._raise_revision(request))

    async def CreatePortalLink(self, request: Any, _: Any) -> portal_pb2.CreatePortalLinkResponse:
        """Store a link."""
        self._application(request)
        code, ends_us = secrets.token_urlsafe(32), 4_000_000_000_000_000
        self.links[code] = portal_pb2.PortalSession(
            tenant_id=request.tenant_id, application_id=request.application_id, role=request.role, expires_at_us=ends_us
        )
        return portal_pb2.CreatePortalLinkResponse(code=code, expires_at_us=ends_us)

    async def OpenPortalSession(self, request: Any, _: Any) -> portal_pb2.OpenPortalSessionResponse:
        """Make a session of a link, once."""
        session = self.links.pop(request.code, None)
        if session is None:
            raise ClarionError(Code.UNAUTHENTICATED, "The link was used, or has ended.")
        token = secrets.token_urlsafe(32)
        self.sessions[token] = session
        return portal_pb2.OpenPortalSessionResponse(token=token, session=session)

    async def GetPortalSession(self, request: Any, _: Any) -> portal_pb2.GetPortalSessionResponse:
        """Return a session."""
        if request.token not in self.sessions:
            raise ClarionError(Code.UNAUTHENTICATED, "The session has ended.")
        return portal_pb2.GetPortalSessionResponse(session=self.sessions[request.token])

    async def EndPortalSession(self, request: Any, _: Any) -> portal_pb2.EndPortalSessionResponse:
        """End a session."""
        self.sessions.pop(request.token, None)
        return portal_pb2.EndPortalSessionResponse()
