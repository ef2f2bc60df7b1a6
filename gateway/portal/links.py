"""Links by which a customer of a tenant opens the portal."""

from typing import Literal, NamedTuple

from aiohttp import web

from clarion.router.v1 import portal_pb2
from gateway.browser_sessions import PublicAddress
from gateway.clients import Clients

# What the opener may do: read and write, or read without secrets.
Role = Literal["editor", "viewer"]

DEFAULT_MINUTES = 60
MAX_MINUTES = 7 * 24 * 60
OPEN_PATH = "/portal/open/"

_ROLES: "dict[Role, portal_pb2.PortalRole.ValueType]" = {
    "editor": portal_pb2.PORTAL_ROLE_EDITOR,
    "viewer": portal_pb2.PORTAL_ROLE_VIEWER,
}


class PortalLink(NamedTuple):
    """A link that can be opened once. expires_at_us: when it ends, and what it opened; Unix microseconds."""

    url: str
    code: str
    expires_at_us: int


class PortalLinks:
    """Creates links. For the admin API, and for dialects with portals of their own."""

    def __init__(self, clients: Clients, address: PublicAddress) -> None:
        self._clients = clients
        self._address = address

    async def create(
        self,
        request: web.Request,
        tenant_id: str,
        application_id: str,
        *,
        role: Role = "editor",
        minutes: int = DEFAULT_MINUTES,
    ) -> PortalLink:
        """Return a new link to the portal of one application. minutes: 1 to MAX_MINUTES, until it ends.

        request: of the caller. Raises ClarionError: NOT_FOUND if the tenant has no such application, or CONFLICT.
        """
        wire = portal_pb2.CreatePortalLinkRequest(
            tenant_id=tenant_id, application_id=application_id, role=_ROLES[role], lasts_s=minutes * 60
        )
        answer = await self._clients.call(self._clients.portal.CreatePortalLink, wire)
        return PortalLink(self._address.url(request) + OPEN_PATH + answer.code, answer.code, answer.expires_at_us)
