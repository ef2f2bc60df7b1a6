"""What every call of the management API has in common: the token, the workspace, the audit log."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from aiohttp import web

from gateway import queries
from gateway.audit import RESOURCE, Auditor
from gateway.authentication import AuthenticatedTenant
from gateway.dialects import Backend
from gateway.dialects.nahook import bodies, ids
from gateway.dialects.nahook.credentials import management_token
from gateway.dialects.nahook.errors import RequestHandler, answers
from runtime.errors import ClarionError, Code

BASE = "/management/v1/workspaces/{workspace_id}"
# Where the vendor's dashboard has what the management API lacks.
DASHBOARD = "/api/workspaces/{workspace_id}"

# Before the id of a token in the audit log: names of operators have no colon.
TOKEN_ACTOR = "token:"  # noqa: S105 - not a secret

B = TypeVar("B", bound=bodies.Body)
Res = TypeVar("Res")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a token that is good for the workspace in the path."""

    request: web.Request
    tenant_id: str
    backend: Backend

    def id(self, prefix: str, name: str) -> str:
        """Return the UUID of a public id in the path. Raises NOT_FOUND."""
        return ids.private(prefix, self.request.match_info[name])

    async def body(self, kind: type[B]) -> B:
        """Return the body. Raises BodyError or ApiError."""
        return await bodies.read(self.request, kind)

    async def ask(self, method: Callable[..., Awaitable[Res]], wire: Any) -> Res:
        """Return a service's answer. A write's revision is remembered for this tenant's next events.

        Raises ClarionError.
        """
        answer = await self.backend.clients.call(method, wire)
        if revision := getattr(answer, "revision", 0):
            self.backend.revisions.remember(self.tenant_id, revision)
        return answer

    def made(self, public_id: str) -> None:
        """Tell the audit log the id of what was created."""
        self.request[RESOURCE] = f"{self.request.match_info['workspace_id']}/{public_id}"


@dataclass(frozen=True, slots=True)
class Route:
    """One path of the management API.

    action: what it does, in the audit log ("endpoint.created"); empty: it only reads. query: parameters that it takes.
    """

    method: str
    path: str
    handler: Callable[[Call], Awaitable[web.StreamResponse]]
    action: str = ""
    query: Collection[str] = ()
    base: str = BASE

    @property
    def full_path(self) -> str:
        """The path from the root."""
        return self.base + self.path


def serve(route: Route, backend: Backend) -> RequestHandler:
    """Return the handler of a route. What it changes is recorded in the audit log before it happens."""
    auditor = Auditor(backend.clients)

    async def handling(request: web.Request, token: AuthenticatedTenant) -> web.StreamResponse:
        queries.check(request, route.query)
        return await route.handler(Call(request, token.id, backend))

    async def serving(request: web.Request) -> web.StreamResponse:
        token = await management_token(backend.authenticator, request)
        if request.match_info["workspace_id"] != ids.public(ids.WORKSPACE, token.id):
            raise ClarionError(Code.NOT_FOUND, "The token belongs to another workspace.")

        async def handle(request: web.Request) -> web.StreamResponse:
            return await handling(request, token)

        if not route.action:
            return await handle(request)
        entry_id = await auditor.begin(request, TOKEN_ACTOR + token.key_id)
        response = await answers(handle)(request)
        await auditor.finish(request, entry_id, response)
        return response

    return answers(serving)


def time(at_us: int) -> str | None:
    """Return Unix microseconds as the API shows times, to the millisecond; None for 0."""
    if not at_us:
        return None
    moment = datetime.fromtimestamp(at_us // 1_000_000, UTC).replace(microsecond=at_us % 1_000_000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
