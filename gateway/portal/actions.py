"""What an editor can do in the portal. The session, the form's token and the role are checked before (routes.py)."""

from typing import Any

from aiohttp import web

from clarion.ingest.v1 import ledger_pb2
from clarion.router.v1 import endpoints_pb2
from gateway import webhooks
from gateway.clients import Clients
from gateway.portal import forms, pages
from gateway.portal.forms import Fields
from gateway.portal.sessions import Session
from gateway.portal.views import Views
from gateway.revisions import Revisions
from runtime.errors import ClarionError, Code

# Event types of one call.
_AT_ONCE = 100


class Actions:
    """Handlers of forms. Each writes what belongs to the session's application only; the rest is NOT_FOUND."""

    def __init__(self, clients: Clients, revisions: Revisions, views: Views) -> None:
        self._clients = clients
        self._revisions = revisions
        self._views = views

    async def create(self, _request: web.Request, session: Session, fields: Fields) -> web.Response:
        """Create an endpoint of the application."""
        typed = {name: forms.text(fields, name) for name in ("url", "description")}
        wire = endpoints_pb2.CreateEndpointRequest(
            tenant_id=session.tenant_id,
            endpoint=endpoints_pb2.Endpoint(
                application_id=session.application_id,
                kind=endpoints_pb2.ENDPOINT_KIND_WEBHOOK,
                mode=endpoints_pb2.ENDPOINT_MODE_PUSH,
                url=typed["url"],
                description=typed["description"],
            ),
        )
        try:
            answer = await self._clients.call(self._clients.endpoints.CreateEndpoint, wire)
        except ClarionError as error:
            return await self._views.list_page(session, fault=_told(error), typed=typed)
        self._revisions.remember(session.tenant_id, answer.revision)
        return _see(answer.endpoint.id, "created")

    async def change(self, request: web.Request, session: Session, fields: Fields) -> web.Response:
        """Change address and description."""
        endpoint = await self._views.owned(request, session)
        typed = {name: forms.text(fields, name) for name in ("url", "description")}
        wire = endpoints_pb2.UpdateEndpointRequest(
            tenant_id=session.tenant_id, endpoint_id=endpoint.id, url=typed["url"], description=typed["description"]
        )
        try:
            answer = await self._clients.call(self._clients.endpoints.UpdateEndpoint, wire)
        except ClarionError as error:
            return await self._views.endpoint_page(session, endpoint, fault=_told(error), typed=typed)
        self._revisions.remember(session.tenant_id, answer.revision)
        return _see(endpoint.id, "changed")

    async def set_active(self, request: web.Request, session: Session, fields: Fields) -> web.Response:
        """Enable or disable an endpoint."""
        endpoint = await self._views.owned(request, session)
        wire = endpoints_pb2.UpdateEndpointRequest(
            tenant_id=session.tenant_id, endpoint_id=endpoint.id, active=forms.text(fields, "active") == "yes"
        )
        answer = await self._clients.call(self._clients.endpoints.UpdateEndpoint, wire)
        self._revisions.remember(session.tenant_id, answer.revision)
        return _see(endpoint.id, "changed")

    async def choose_event_types(self, request: web.Request, session: Session, fields: Fields) -> web.Response:
        """Subscribe to the chosen event types, and to no other that the portal shows."""
        endpoint = await self._views.owned(request, session)
        if not (await self._views.application(session)).show_event_types:
            raise ClarionError(Code.NOT_FOUND, "This application does not choose its event types.")
        names: dict[str, Any] = {"tenant_id": session.tenant_id, "endpoint_id": endpoint.id}
        chosen = set(fields.get("type", []))
        # What is not published can be neither chosen nor dropped here.
        shown = await self._views.types(session, endpoint)
        new = [one.id for one in shown if one.id in chosen and not one.is_chosen]
        for start in range(0, len(new), _AT_ONCE):
            wire = endpoints_pb2.SubscribeRequest(**names, event_type_ids=new[start : start + _AT_ONCE])
            subscribed = await self._clients.call(self._clients.endpoints.Subscribe, wire)
            self._revisions.remember(session.tenant_id, subscribed.revision)
        for one in shown:
            if one.is_chosen and one.id not in chosen:
                await self._unsubscribe(names, one.id)
        return _see(endpoint.id, "changed")

    async def _unsubscribe(self, names: dict[str, Any], event_type_id: str) -> None:
        wire = endpoints_pb2.UnsubscribeRequest(**names, event_type_id=event_type_id)
        try:
            answer = await self._clients.call(self._clients.endpoints.Unsubscribe, wire)
        except ClarionError as error:
            if error.code is not Code.NOT_FOUND:  # another form was faster
                raise
        else:
            self._revisions.remember(names["tenant_id"], answer.revision)

    async def rotate_secret(self, request: web.Request, session: Session, _fields: Fields) -> web.Response:
        """Add a secret; the earlier ones stay valid for a day."""
        endpoint = await self._views.owned(request, session)
        wire = endpoints_pb2.RotateSecretRequest(tenant_id=session.tenant_id, endpoint_id=endpoint.id)
        answer = await self._clients.call(self._clients.endpoints.RotateSecret, wire)
        self._revisions.remember(session.tenant_id, answer.revision)
        return _see(endpoint.id, "rotated")

    async def reveal_secret(self, request: web.Request, session: Session, _fields: Fields) -> web.Response:
        """Show the newest secret."""
        endpoint = await self._views.owned(request, session)
        wire = endpoints_pb2.RevealSecretRequest(tenant_id=session.tenant_id, endpoint_id=endpoint.id)
        answer = await self._clients.call(self._clients.endpoints.RevealSecret, wire)
        return await self._views.endpoint_page(session, endpoint, secret=answer.secret)

    async def test(self, request: web.Request, session: Session, _fields: Fields) -> web.Response:
        """Send a test event."""
        endpoint = await self._views.owned(request, session)
        await webhooks.send_test(self._clients, self._revisions, session.tenant_id, endpoint.id)
        return _see(endpoint.id, "tested")

    async def retry(self, request: web.Request, session: Session, _fields: Fields) -> web.Response:
        """Send a delivery again."""
        endpoint = await self._views.owned(request, session)
        delivery = await self._views.owned_delivery(request, session, endpoint)
        wire = ledger_pb2.RetryDeliveryRequest(tenant_id=session.tenant_id, delivery_id=delivery.id)
        await self._clients.call(self._clients.ledger.RetryDelivery, wire)
        return pages.see(f"/portal/endpoints/{endpoint.id}/deliveries/{delivery.id}?done=retried")


def _see(endpoint_id: str, done: str) -> web.Response:
    return pages.see(f"/portal/endpoints/{endpoint_id}?done={done}")


def _told(error: ClarionError) -> str:
    """Return what is wrong with a form. Raises the error if it is not the form's."""
    if error.code not in (Code.INVALID, Code.CONFLICT):
        raise error
    said = [f"{field.removeprefix('endpoint.')} {description}" for field, description in error.fields]
    return "; ".join(said) or error.detail
