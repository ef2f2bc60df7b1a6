"""PortalService: wire to store."""

from typing import Any

from clarion.router.v1 import portal_pb2, portal_pb2_grpc
from runtime import logs
from runtime.errors import ClarionError, Code
from services.domain.checks import check_id, invalid
from services.router.portal.store import PortalStore

PORTAL_SERVICE = "clarion.router.v1.PortalService"

_LASTS_S = (60, 7 * 86_400)
_ROLES = (portal_pb2.PORTAL_ROLE_EDITOR, portal_pb2.PORTAL_ROLE_VIEWER)

log = logs.get(__name__)


class PortalServicer(portal_pb2_grpc.PortalServiceServicer):
    """See proto/clarion/router/v1/portal.proto."""

    def __init__(self, store: PortalStore) -> None:
        self._store = store

    async def CreatePortalLink(
        self, request: portal_pb2.CreatePortalLinkRequest, context: Any
    ) -> portal_pb2.CreatePortalLinkResponse:
        """Create a link."""
        check_id("tenant_id", request.tenant_id)
        check_id("application_id", request.application_id)
        role = request.role or portal_pb2.PORTAL_ROLE_EDITOR
        if role not in _ROLES:
            raise invalid("role", "must be EDITOR or VIEWER")
        least, most = _LASTS_S
        if not least <= request.lasts_s <= most:
            raise invalid("lasts_s", f"must be from {least} to {most}")
        code, expires_at_us = await self._store.create_link(
            request.tenant_id, request.application_id, role, request.lasts_s
        )
        log.info("portal_link_created", tenant_id=request.tenant_id, application_id=request.application_id)
        return portal_pb2.CreatePortalLinkResponse(code=code, expires_at_us=expires_at_us)

    async def OpenPortalSession(
        self, request: portal_pb2.OpenPortalSessionRequest, context: Any
    ) -> portal_pb2.OpenPortalSessionResponse:
        """Make a session of a link."""
        opened = await self._store.open(request.code)
        if opened is None:
            raise ClarionError(Code.UNAUTHENTICATED, "The link was used, or has ended.")
        token, session = opened
        log.info("portal_opened", tenant_id=session.tenant_id, application_id=session.application_id)
        return portal_pb2.OpenPortalSessionResponse(token=token, session=session)

    async def GetPortalSession(
        self, request: portal_pb2.GetPortalSessionRequest, context: Any
    ) -> portal_pb2.GetPortalSessionResponse:
        """Return a session."""
        session = await self._store.session(request.token)
        if session is None:
            raise ClarionError(Code.UNAUTHENTICATED, "The session has ended.")
        return portal_pb2.GetPortalSessionResponse(session=session)

    async def EndPortalSession(
        self, request: portal_pb2.EndPortalSessionRequest, context: Any
    ) -> portal_pb2.EndPortalSessionResponse:
        """End a session."""
        await self._store.end(request.token)
        return portal_pb2.EndPortalSessionResponse()
