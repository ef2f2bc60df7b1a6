"""The paths of the portal and their handlers."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from gateway import looks
from gateway.audit import FIELDS, Auditor
from gateway.authentication import CachedAuthenticator
from gateway.browser_sessions import PublicAddress
from gateway.clients import Clients
from gateway.portal import forms, pages
from gateway.portal.actions import Actions
from gateway.portal.forms import Fields
from gateway.portal.links import OPEN_PATH
from gateway.portal.sessions import Session, Sessions
from gateway.portal.views import Views
from gateway.replies import BodyError
from gateway.revisions import Revisions
from runtime import logs
from runtime.errors import ClarionError, Code

ENDPOINT = "/portal/endpoints/{endpoint_id}"
DELIVERY = ENDPOINT + "/deliveries/{delivery_id}"

# The field of each form with the session's token against forged requests.
CSRF = "csrf"

_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
_View: TypeAlias = Callable[[web.Request, Session], Awaitable[web.StreamResponse]]
_Action: TypeAlias = Callable[[web.Request, Session, Fields], Awaitable[web.StreamResponse]]

log = logs.get(__name__)


def add_routes(
    app: web.Application,
    clients: Clients,
    authenticator: CachedAuthenticator,
    revisions: Revisions,
    address: PublicAddress,
) -> None:
    """Serve the portal."""
    sessions = Sessions(clients, address, authenticator.attempts)
    portal = _Portal(sessions, Auditor(clients))
    views = Views(clients)
    actions = Actions(clients, revisions, views)
    router = app.router
    router.add_get("/portal/portal.css", _style)
    router.add_get(OPEN_PATH + "{code}", _answered(portal.confirm))
    router.add_post("/portal/open", _answered(portal.open))
    router.add_post("/portal/close", portal.action(portal.close, writes=False))
    router.add_get("/portal", portal.view(views.endpoints))
    router.add_get(ENDPOINT, portal.view(views.endpoint))
    router.add_get(DELIVERY, portal.view(views.delivery))
    router.add_post("/portal/endpoints", portal.action(actions.create, "url", "description"))
    router.add_post(ENDPOINT, portal.action(actions.change, "url", "description"))
    router.add_post(ENDPOINT + "/active", portal.action(actions.set_active, "active"))
    router.add_post(ENDPOINT + "/event-types", portal.action(actions.choose_event_types, "type"))
    router.add_post(ENDPOINT + "/rotate-secret", portal.action(actions.rotate_secret))
    router.add_post(ENDPOINT + "/reveal-secret", portal.action(actions.reveal_secret))
    router.add_post(ENDPOINT + "/test", portal.action(actions.test))
    router.add_post(DELIVERY + "/retry", portal.action(actions.retry))


async def _style(_request: web.Request) -> web.Response:
    headers = {"Cache-Control": "no-cache"}
    return web.Response(body=looks.style(pages.STYLE), content_type="text/css", charset="utf-8", headers=headers)


class _Portal:
    """What stands around each handler: the session, the form's token, the role, and the audit log."""

    def __init__(self, sessions: Sessions, auditor: Auditor) -> None:
        self._sessions = sessions
        self._auditor = auditor

    @staticmethod
    async def confirm(request: web.Request) -> web.StreamResponse:
        """Show the page to open the portal. A GET uses up no link, because programs follow links in mail."""
        return pages.page("open", code=request.match_info["code"])

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Make a session of the link's code."""
        self._sessions.check_origin(request)
        fields = await forms.read(request, "code")
        session = await self._sessions.open(request, forms.text(fields, "code"))
        response = pages.see("/portal")
        self._sessions.keep(request, response, session)
        return response

    async def close(self, request: web.Request, session: Session, _fields: Fields) -> web.StreamResponse:
        """End the session."""
        await self._sessions.end(session)
        response = pages.page("message", title="Goodbye", text="You have left. To come back, ask for a new link.")
        self._sessions.drop(request, response)
        return response

    def view(self, handler: _View) -> _Handler:
        """Return the handler of a page for those who have a session."""

        async def handling(request: web.Request) -> web.StreamResponse:
            return await handler(request, await self._sessions.find(request))

        return _answered(handling)

    def action(self, handler: _Action, *fields_of_form: str, writes: bool = True) -> _Handler:
        """Return the handler of a form. writes: only an editor may send it, and the audit log records it before."""
        known = (CSRF, *fields_of_form)

        async def handling(request: web.Request) -> web.StreamResponse:
            self._sessions.check_origin(request)
            session = await self._sessions.find(request)
            fields = await forms.read(request, *known)
            self._sessions.check_form(session, forms.text(fields, CSRF))
            if not writes:
                return await handler(request, session, fields)
            if not session.may_write:
                raise ClarionError(Code.FORBIDDEN, "With this link you can look, but not change anything.")
            request[FIELDS] = tuple(name for name in fields if name != CSRF)
            entry_id = await self._auditor.begin(request, session.actor)
            response = await _answered(lambda _: handler(request, session, fields))(request)
            await self._auditor.finish(request, entry_id, response)
            return response

        return _answered(handling)


def _answered(handler: _Handler) -> _Handler:
    """Return the handler with its errors answered as pages."""

    async def answering(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ClarionError as error:
            return pages.fault(error)
        except BodyError as error:
            return pages.page("message", status=error.status, title="That did not work", text=error.detail)
        except web.HTTPException:
            raise
        except Exception:
            # An error of our own: its text is only logged.
            log.exception("request_failed", dialect="portal")
            return pages.fault(ClarionError(Code.INTERNAL, ""))

    return answering
