"""Lets in who may, keeps the table of roles, and records what is changed."""

from aiohttp import web

from gateway.access import enforce
from gateway.access.asker import ASKER, Asker, operator
from gateway.access.rules import Place, Rule
from gateway.access.sessions import ConsoleSessions
from gateway.addresses import FailedAttempts
from gateway.audit import Auditor
from gateway.operators import Operators
from gateway.problems import RequestHandler, answering
from runtime import logs
from runtime.errors import ClarionError, Code

# Of this API in the log.
_NAME = "admin"
_READING = frozenset({"GET", "HEAD"})

log = logs.get(__name__)


class Guard:
    """What stands before every handler of the admin API."""

    def __init__(
        self,
        operators: Operators,
        sessions: ConsoleSessions,
        enforcer: enforce.Enforcer,
        auditor: Auditor,
        attempts: FailedAttempts,
    ) -> None:
        self._operators = operators
        self._sessions = sessions
        self._enforcer = enforcer
        self._auditor = auditor
        self._attempts = attempts

    def protect(self, handler: RequestHandler, rule: Rule, *, writes: bool, is_use: bool = True) -> RequestHandler:
        """Return the handler for those whom the rule allows it. It answers errors with problem documents.

        writes: the call is recorded in the audit log before the handler is called. is_use: as of_token() of
        ConsoleSessions takes it.
        """
        if Place.ANYBODY in rule.places:
            return answering(self._of_anybody(handler), name=_NAME)
        handling = answering(handler, name=_NAME)

        async def recorded(request: web.Request, asker: Asker) -> web.StreamResponse:
            await self._enforcer.note_tenant(request, rule)
            entry_id = await self._auditor.begin(request, asker.actor, email=asker.email)
            response = await handling(request)
            await self._auditor.finish(request, entry_id, response)
            return response

        async def protected(request: web.Request) -> web.StreamResponse:
            asker = request[ASKER] = await self._identify(request, is_use=is_use)
            try:
                await self._enforcer.check(request, rule, asker)
            except ClarionError as error:
                if error.code is Code.FORBIDDEN:
                    log.info("access_refused", actor=asker.actor, method=request.method, detail=error.detail)
                raise
            response = await (recorded(request, asker) if writes else handler(request))
            if rule.is_list or Place.ACCOUNTS in rule.places:
                enforce.check_limited(request)
            return response

        return answering(protected, name=_NAME)

    def _of_anybody(self, handler: RequestHandler) -> RequestHandler:
        async def protected(request: web.Request) -> web.StreamResponse:
            if request.method not in _READING:
                self._sessions.cookie.check_origin(request)
            return await handler(request)

        return protected

    async def _identify(self, request: web.Request, *, is_use: bool) -> Asker:
        """Return who asks: by an admin token if the request has one, else by the session. Raises UNAUTHENTICATED."""
        try:
            if "Authorization" not in request.headers:
                asker = await self._sessions.find(request, is_use=is_use)
                if asker is not None:
                    return asker
            name = self._operators.identify(request.headers.get("Authorization", ""))
        except ClarionError as error:
            raise self._attempts.refusal(request, error) from None
        return operator(name, self._operators.role_of(name))
