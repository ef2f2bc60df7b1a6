"""What every call has in common: the key, the team, the limits, the query, the audit log."""

import functools
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from clarion.ingest.v1 import ingest_pb2
from gateway.audit import FIELDS, Auditor
from gateway.clients import DEADLINE_S, Clients
from gateway.dialects import Backend, RequestHandler
from gateway.dialects.sendmator import bodies
from gateway.dialects.sendmator.credentials import TEAM_HEADER, Caller, Credentials
from gateway.dialects.sendmator.errors import answers, bad_request, perhaps_accepted
from gateway.dialects.sendmator.limits import Limits
from gateway.dialects.sendmator.triggers.finding import Triggers
from gateway.observing import EVENT_ID
from gateway.shared_paths import KEY_HEADER
from runtime import clock
from runtime.errors import ClarionError, Code

BASE = "/api/v1"
# Before the id of a key in the audit log: names of operators have no colon.
KEY_ACTOR = "key:"
# An event that is not stored by then is given up, in microseconds: then the caller knows that nothing was sent.
ANSWER_WITHIN_US = 4_500_000
# These headers decide who sends the request and what it means.
_ONCE = (KEY_HEADER, TEAM_HEADER, "Content-Type", "Content-Encoding")

Res = TypeVar("Res")


@dataclass(frozen=True, slots=True)
class Api:
    """What all calls share."""

    backend: Backend
    credentials: Credentials
    limits: Limits
    triggers: Triggers
    auditor: Auditor

    @classmethod
    def of(cls, backend: Backend) -> "Api":
        """Return what calls of a backend share."""
        clients = backend.clients
        triggers = Triggers(clients, backend.now)
        return cls(backend, Credentials(backend), Limits(clients), triggers, Auditor(clients))


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a valid key."""

    request: web.Request
    caller: Caller
    api: Api

    @property
    def backend(self) -> Backend:
        """What dialects share."""
        return self.api.backend

    @property
    def clients(self) -> Clients:
        """The services."""
        return self.api.backend.clients

    @property
    def triggers(self) -> Triggers:
        """The triggers of accounts."""
        return self.api.triggers

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return self.request.match_info[name]

    async def body(self, *, optional: bool = False) -> bodies.Fields:
        """Return the body. optional: there may be none. Raises BodyError or ApiError."""
        found = await bodies.read(self.request, optional=optional)
        self.request[FIELDS] = tuple(found.names())
        return found

    async def ask(self, method: Callable[..., Awaitable[Res]], wire: Any, *, deadline: float = DEADLINE_S) -> Res:
        """Return a service's answer. A write's revision is remembered for this account's next events.

        deadline: seconds. Raises ClarionError.
        """
        answer = await self.clients.call(method, wire, deadline=deadline)
        if revision := getattr(answer, "revision", 0):
            self.backend.revisions.remember(self.caller.tenant_id, revision)
        return answer

    async def accept(self, event: ingest_pb2.NewEvent) -> ingest_pb2.Accepted:
        """Return once an event is stored. Raises ClarionError, or ApiError if nobody knows whether it is."""
        event.answer_by_us = clock.now_us() + ANSWER_WITHIN_US
        try:
            accepted = await self.backend.acceptor.accept(self.caller.tenant_id, event)
        except ClarionError as error:
            if error.code is Code.UNAVAILABLE:
                raise perhaps_accepted(error) from None
            raise
        self.request[EVENT_ID] = accepted.event_id
        self.api.limits.tell(self.request, accepted.limits)
        return accepted


@dataclass(frozen=True, slots=True)
class Route:
    """One path.

    needs_team: the request must name the team. action: what it does, in the audit log ("workflow.created"); empty: it
    is not recorded. query: parameters that it takes.
    """

    method: str
    path: str
    handler: Callable[[Call], Awaitable[web.StreamResponse]]
    needs_team: bool = False
    action: str = ""
    query: Collection[str] = ()

    @property
    def full_path(self) -> str:
        """The path from the root."""
        return BASE + self.path


def serve(route: Route, api: Api) -> RequestHandler:
    """Return the handler of a route."""

    async def serving(request: web.Request) -> web.StreamResponse:
        _check_headers(request)
        try:
            call = Call(request, await api.credentials.caller(request, needs_team=route.needs_team), api)
            _check_query(request, route.query)
            return await (_recorded(route, call) if route.action else route.handler(call))
        finally:
            await api.limits.complete(request)

    return answers(functools.update_wrapper(serving, route.handler))


async def _recorded(route: Route, call: Call) -> web.StreamResponse:
    """Answer a call, and record it in the audit log before it happens."""
    auditor = call.api.auditor
    entry_id = await auditor.begin(call.request, KEY_ACTOR + call.caller.key.key_id)

    async def handle(_: web.Request) -> web.StreamResponse:
        return await route.handler(call)

    response = await answers(handle)(call.request)
    await auditor.finish(call.request, entry_id, response)
    return response


def _check_headers(request: web.Request) -> None:
    """Refuse headers that are given twice: a proxy may have read the other one."""
    for name in _ONCE:
        if len(request.headers.getall(name, ())) > 1:
            raise bad_request(f"The header {name} must not be given more than once.")


def _check_query(request: web.Request, known: Collection[str]) -> None:
    """Refuse parameters that are unknown, or that no store could hold: a misspelt filter would count as absent."""
    for name in request.query:
        if name not in known:
            taken = f"this path takes {', '.join(known)}" if known else "this path takes no parameters"
            raise bad_request(f"{name[:64]} is not known here: {taken}")
        if "" in request.query.getall(name):
            raise bad_request(f"{name} must not be empty: set a value, or omit the parameter")
        if any(len(value) > 1024 or "\0" in value for value in request.query.getall(name)):
            raise bad_request(f"{name} must be at most 1,024 characters, none of them NUL")
