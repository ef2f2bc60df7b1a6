"""Links by which an application's people manage its endpoints themselves."""

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from gateway.dialects.nahook import ids
from gateway.dialects.nahook.bodies import Body
from gateway.dialects.nahook.management.calls import Call, Route, time
from gateway.portal import DEFAULT_MINUTES, MAX_MINUTES, Role
from gateway.replies import json_reply


class PortalBody(Body, kw_only=True):
    """The body of POST /applications/{id}/portal. metadata: the vendor takes it; here it means nothing."""

    metadata: dict[str, str] | None = None
    role: Role | None = None
    expires_in_minutes: Annotated[int, Meta(ge=1, le=MAX_MINUTES)] | None = None


async def create(call: Call) -> web.Response:
    """Create a link, which opens the portal once."""
    body = await call.body(PortalBody)
    link = await call.backend.portal_links.create(
        call.request,
        call.tenant_id,
        call.id(ids.APPLICATION, "application_id"),
        role=body.role or "editor",
        minutes=body.expires_in_minutes or DEFAULT_MINUTES,
    )
    return json_reply({"url": link.url, "code": link.code, "expiresAt": time(link.expires_at_us)}, status=201)


ROUTES = (Route("POST", "/applications/{application_id}/portal", create, "portal_session.created"),)
