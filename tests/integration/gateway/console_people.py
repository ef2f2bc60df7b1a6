"""Console users with sessions of their own, made by the admin API."""

from dataclasses import dataclass
from typing import Any

import aiohttp

from runtime.ids import new_id

_BASE = "/api/v1/admin"
_PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Person:
    """A console user who is signed in. cookie: of their session."""

    id: str
    email: str
    cookie: str

    @property
    def headers(self) -> dict[str, str]:
        """What their browser sends with a call that reads."""
        return {"Cookie": self.cookie}


async def join(http: aiohttp.ClientSession, admin: dict[str, str], *memberships: dict[str, Any]) -> Person:
    """Create a console user with these memberships, and follow their invitation."""
    email = f"{new_id()}@example.org"
    body = {"email": email, "memberships": list(memberships)}
    async with http.post(f"{_BASE}/users", json=body, headers=admin) as answer:
        assert answer.status == 201, await answer.text()
        made = await answer.json()
    code = made["invitation"]["url"].partition("#")[2]
    async with http.post(f"{_BASE}/invitations/accept", json={"code": code, "password": _PASSWORD}) as answer:
        assert answer.status in (200, 201), await answer.text()
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    http.cookie_jar.clear()
    return Person(made["id"], email, cookie)
