"""Who asks: the identity of a request of the admin API."""

from aiohttp import web

from gateway.operators import Operators
from gateway.replies import json_reply


class SessionRoutes:
    """Handlers of /session."""

    def __init__(self, operators: Operators) -> None:
        self._operators = operators

    async def get(self, request: web.Request) -> web.Response:
        """Return who asks, and what they may do where."""
        name = self._operators.identify(request.headers.get("Authorization", ""))
        everywhere = {"account_id": None, "tenant_id": None, "role": "owner"}
        return json_reply(
            {
                "kind": "token",
                "name": name,
                "email": None,
                "csrf_token": None,
                "memberships": [everywhere],
                "expires_at": None,
            }
        )
