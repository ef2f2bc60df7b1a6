"""Keys and teams: where a request carries them, and what they are good for."""

from dataclasses import dataclass

from aiohttp import web

from gateway.authentication import AuthenticatedTenant
from gateway.dialects import Backend, KeyKind
from gateway.dialects.sendmator.errors import invalid_team
from gateway.dialects.sendmator.limits import OWNER
from gateway.dialects.sendmator.teams import Teams
from gateway.observing import TENANT_ID
from gateway.shared_paths import KEY_HEADER

TEAM_HEADER = "X-Team-ID"
# The kind of the keys. "sk_test_" is as good: an operator chooses it as the prefix of a key. What begins otherwise the
# vendor's clients do not send.
KIND = "sendmator"
PREFIX = "sk_"
KEY_KINDS = {KIND: KeyKind(prefix="sk_live_", scopes_are_ids=True)}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. team: the id of an environment of the tenant. names_team: the request itself names it."""

    key: AuthenticatedTenant
    team: str
    names_team: bool

    @property
    def tenant_id(self) -> str:
        """The tenant: this API's account."""
        return self.key.id


class Credentials:
    """Finds out who calls."""

    def __init__(self, backend: Backend) -> None:
        self._authenticator = backend.authenticator
        self._teams = Teams(backend.clients)

    async def caller(self, request: web.Request, *, needs_team: bool) -> Caller:
        """Return who calls. Raises UNAUTHENTICATED, or ApiError for the team.

        needs_team: the request must name one; else a key for one team means that one, and any other the account's
        default.
        """
        key = await self._authenticator.tenant(request, request.headers.get(KEY_HEADER, ""), KIND)
        request[TENANT_ID] = key.id
        request[OWNER] = key.id, key.key_id
        named = request.headers.get(TEAM_HEADER, "").strip()
        if named:
            return Caller(key, await self._checked(key, named), names_team=True)
        if needs_team:
            raise invalid_team()
        team = key.scopes[0] if len(key.scopes) == 1 else await self._teams.default(key.id)
        if key.scopes and team not in key.scopes:
            raise invalid_team()
        return Caller(key, team, names_team=False)

    async def _checked(self, key: AuthenticatedTenant, team: str) -> str:
        """Return a team that the caller chose to name: it must be the account's and the key's. Raises ApiError."""
        allowed = team in key.scopes if key.scopes else await self._teams.has(key.id, team)
        if not allowed:
            raise invalid_team()
        return team


def recognizes(request: web.Request) -> bool:
    """Return whether the key looks like one of this API, or there is none and the request names a team."""
    key = request.headers.get(KEY_HEADER, "")
    return key.startswith(PREFIX) if key else TEAM_HEADER in request.headers
