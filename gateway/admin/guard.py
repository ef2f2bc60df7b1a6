"""Lets operators in only, and records what they change."""

from collections.abc import Callable

from aiohttp import web

from gateway.addresses import FailedAttempts
from gateway.audit import Auditor
from gateway.operators import Operators
from gateway.problems import RequestHandler, answering
from runtime.errors import ClarionError

# Of this API in the log.
_NAME = "admin"


def guard(operators: Operators, auditor: Auditor, attempts: FailedAttempts) -> Callable[..., RequestHandler]:
    """Return a decorator for handlers: it lets operators in only, and answers errors with problem documents.

    Before a handler that writes is called, the call is recorded in the audit log.
    """

    def protect(handler: RequestHandler, *, writes: bool) -> RequestHandler:
        handling = answering(handler, name=_NAME)

        async def recorded(request: web.Request, actor: str) -> web.StreamResponse:
            entry_id = await auditor.begin(request, actor)
            response = await handling(request)
            await auditor.finish(request, entry_id, response)
            return response

        async def protected(request: web.Request) -> web.StreamResponse:
            try:
                actor = operators.identify(request.headers.get("Authorization", ""))
            except ClarionError as error:
                raise attempts.refusal(request, error) from None
            return await (recorded(request, actor) if writes else handler(request))

        return answering(protected, name=_NAME)

    return protect
