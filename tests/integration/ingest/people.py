"""Console users of a test: the servicer on a real database, with hashes that take little work."""

from typing import Any, TypeAlias

import asyncpg

from clarion.ingest.v1 import console_users_pb2
from services.ingest.console_users.passwords import Passwords
from services.ingest.console_users.servicer import ConsoleUserServicer

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

PASSWORD = "correct horse battery"
OWNER = console_users_pb2.CONSOLE_ROLE_OWNER
VIEWER = console_users_pb2.CONSOLE_ROLE_VIEWER


def client(address: str = "192.0.2.1") -> console_users_pb2.ConsoleClient:
    """Return where a request comes from."""
    return console_users_pb2.ConsoleClient(user_agent="a browser", address=address)


def everywhere(role: "console_users_pb2.ConsoleRole.ValueType" = OWNER) -> console_users_pb2.Membership:
    """Return a membership in the whole installation."""
    return console_users_pb2.Membership(role=role)


class People:
    """Calls the service by the names of its RPCs, and does what tests often need."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._servicer = ConsoleUserServicer(pool, Passwords(rounds=1, memory_kib=64))

    async def call(self, name: str, /, **fields: Any) -> Any:
        """Call an RPC with the fields of its request. Raises ClarionError."""
        request = getattr(console_users_pb2, f"{name}Request")(**fields)
        return await getattr(self._servicer, name)(request, None)

    async def first_owner(self, email: str = "ada@example.com") -> console_users_pb2.AcceptConsoleLinkResponse:
        """Make the first owner."""
        link = await self.call("CreateOwnerLink")
        return await self.accept(link.code, email=email, name="Ada")

    async def accept(self, code: str, **fields: Any) -> console_users_pb2.AcceptConsoleLinkResponse:
        """Accept a link."""
        accepted: console_users_pb2.AcceptConsoleLinkResponse = await self.call(
            "AcceptConsoleLink", code=code, **{"password": PASSWORD, "client": client(), **fields}
        )
        return accepted

    async def invited(self, email: str, *memberships: console_users_pb2.Membership) -> Any:
        """Create a user who has not accepted their invitation."""
        return await self.call("CreateConsoleUser", email=email, memberships=memberships)

    async def joined(self, email: str, *memberships: console_users_pb2.Membership) -> Any:
        """Create a user with a password."""
        created = await self.invited(email, *memberships)
        return (await self.accept(created.code)).user

    async def sign_in(self, email: str, password: str = PASSWORD, address: str = "192.0.2.1") -> str:
        """Return the token of a new session."""
        token: str = (await self.call("SignIn", email=email, password=password, client=client(address))).token
        return token

    async def session(self, token: str) -> console_users_pb2.GetConsoleSessionResponse:
        """Return a session."""
        found: console_users_pb2.GetConsoleSessionResponse = await self.call("GetConsoleSession", token=token)
        return found
