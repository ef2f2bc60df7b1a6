"""Console users and their memberships in PostgreSQL."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg

from clarion.ingest.v1 import console_users_pb2
from runtime import postgres
from runtime.clock import micros_of
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.ingest.console_users.person import MAX_MEMBERSHIPS, Place, email_key

MAX_USERS = 10_000
# Of them, those who belong to one account.
MAX_USERS_OF_ACCOUNT = 500
# The tenants that a person's memberships in tenants and accounts may reach.
MAX_TENANTS = 2_000

_SQL = postgres.Queries(Path(__file__).with_name("queries.sql"))

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
_Connection: TypeAlias = Any
# The accounts whose owner asks; None: an owner of the installation.
Within: TypeAlias = Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a user; None leaves a field as it is."""

    name: str | None = None
    email: str | None = None
    disabled: bool | None = None
    places: Sequence[Place] | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sign-in is compared with. password: an Argon2id hash, or None."""

    user_id: str
    email: str
    password: str | None
    disabled: bool


class ConsoleUserStore:
    """Reads and writes users. A change that would leave no owner who can sign in is CONFLICT."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def owner_exists(self) -> bool:
        """Return whether an owner of the installation can sign in."""
        return bool(await self._pool.fetchval(_SQL.owner_exists))

    async def create(self, email: str, name: str, places: Sequence[Place], within: Within = None) -> str:
        """Create a user without a password; return the id. Raises CONFLICT, and INVALID for an unknown tenant.

        within: the person belongs to one of these accounts, in which all places are.
        """
        user_id = new_id()
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(_SQL.lock_owners)
            if await connection.fetchval(_SQL.count) >= MAX_USERS:
                raise ClarionError(Code.CONFLICT, f"There are {MAX_USERS:,} users. Delete one first.")
            account_id = None if within is None else await _account_of(connection, places, within)
            try:
                await connection.execute(_SQL.insert, user_id, email, email_key(email), name, account_id)
            except asyncpg.UniqueViolationError:
                raise _email_taken() from None
            await _insert_places(connection, user_id, places)
        return user_id

    async def make_first_owner(self, connection: _Connection, email: str, name: str, password: str) -> str:
        """Make a person the owner of the installation; return the id. Raises CONFLICT if there is an owner.

        connection: in a transaction. password: its hash.
        """
        await connection.execute(_SQL.lock_owners)
        if await connection.fetchval(_SQL.owner_exists):
            raise owner_exists()
        row = await connection.fetchrow(_SQL.make_owner, new_id(), email, email_key(email), name, password)
        await connection.execute(_SQL.delete_installation_membership, row["id"])
        owner = Place(None, None, console_users_pb2.CONSOLE_ROLE_OWNER)
        await _insert_places(connection, row["id"], [owner])
        return str(row["id"])

    async def get(self, user_id: str, within: Within = None) -> console_users_pb2.ConsoleUser:
        """Return a user. Raises NOT_FOUND, also for one who neither belongs to these accounts nor has a role there."""
        for user in await self._shown([user_id], within):
            if within is None or user.account_id in within or user.memberships:
                return user
        raise no_such_user()

    async def managed(self, user_id: str, within: Within) -> console_users_pb2.ConsoleUser:
        """Return a user whom the owners of these accounts manage. Raises NOT_FOUND as get(), and FORBIDDEN."""
        user = await self.get(user_id, within)
        if within is not None and user.account_id not in within:
            raise ClarionError(
                Code.FORBIDDEN,
                "This person was not invited by an owner of your account, so you may only change or end their roles"
                " in it. Ask an owner of the installation for anything else.",
            )
        return user

    async def page(
        self, search: str, before: str | None, limit: int, within: Within = None
    ) -> list[console_users_pb2.ConsoleUser]:
        """Return up to limit users, newest first. search: part of the address or name; empty: any."""
        rows = await self._pool.fetch(_SQL.page, before, email_key(search) or None, limit, within)
        return await self._shown([row["id"] for row in rows], within)

    async def update(self, user_id: str, changes: Changes, within: Within = None) -> None:
        """Change a user. Raises NOT_FOUND, CONFLICT, and INVALID for an unknown tenant.

        within: only the memberships within these accounts are replaced.
        """
        async with self._pool.acquire() as connection, connection.transaction(), _keeping_an_owner(connection):
            key = email_key(changes.email) if changes.email is not None else None
            try:
                found = await connection.fetchval(
                    _SQL.update, user_id, changes.name, changes.email, key, changes.disabled
                )
            except asyncpg.UniqueViolationError:
                raise _email_taken() from None
            if found is None:
                raise no_such_user()
            if changes.places is not None:
                if within is not None:
                    await _accounts_of(connection, changes.places, within)
                await connection.execute(_SQL.delete_memberships, user_id, within)
                await _insert_places(connection, user_id, changes.places)
                if await connection.fetchval(_SQL.count_memberships, user_id) > MAX_MEMBERSHIPS:
                    fault = ("memberships", f"would be more than {MAX_MEMBERSHIPS} with those in other places")
                    raise ClarionError(Code.INVALID, " ".join(fault), fields=[fault])
                if await connection.fetchval(_SQL.has_role_outside, user_id):
                    raise ClarionError(
                        Code.CONFLICT,
                        "This person was invited by an owner of an account, and can have roles in this account only."
                        " Delete them first to invite them to another place.",
                    )

    async def delete(self, user_id: str) -> None:
        """Delete a user with their sessions and links. Raises NOT_FOUND or CONFLICT."""
        async with self._pool.acquire() as connection, connection.transaction(), _keeping_an_owner(connection):
            if await connection.fetchval(_SQL.delete, user_id) is None:
                raise no_such_user()

    async def tenant_roles(self, user_id: str) -> list[console_users_pb2.TenantRole]:
        """Return the tenants that a person's memberships reach. Raises FORBIDDEN if they are more than MAX_TENANTS."""
        rows = await self._pool.fetch(_SQL.tenant_roles, user_id, MAX_TENANTS + 1)
        if len(rows) > MAX_TENANTS:
            raise ClarionError(
                Code.FORBIDDEN,
                f"Your memberships reach more than {MAX_TENANTS:,} tenants. Ask an owner for a membership in the whole"
                " installation, or in fewer tenants.",
            )
        return [console_users_pb2.TenantRole(tenant_id=str(row["tenant_id"]), role=row["role"]) for row in rows]

    async def credentials(self, email: str) -> Credentials | None:
        """Return what a sign-in with this address is compared with."""
        row = await self._pool.fetchrow(_SQL.credentials, email_key(email))
        return _credentials(row) if row else None

    async def set_password(self, user_id: str, hashed: str) -> None:
        """Set a password's hash."""
        await self._pool.execute(_SQL.set_password, user_id, hashed)

    async def renew_hash(self, user_id: str, before: str, hashed: str) -> None:
        """Replace the hash of a password by another one of the same password."""
        await self._pool.execute(_SQL.renew_hash, user_id, before, hashed)

    async def accept_invitation(self, connection: _Connection, user_id: str, hashed: str, name: str) -> bool:
        """Set the password, and a name that is not empty. Return whether there is such a user who is not disabled."""
        return await connection.fetchval(_SQL.accept_invitation, user_id, hashed, name) is not None

    async def of_subject(self, issuer: str, subject: str) -> Credentials | None:
        """Return the user whom an identity provider means."""
        row = await self._pool.fetchrow(_SQL.of_subject, issuer, subject)
        return _credentials(row) if row else None

    async def bind_subject(self, user_id: str, issuer: str, subject: str, name: str) -> bool:
        """Bind a user to a provider's subject. Return False if another one is bound, or the user is disabled."""
        return await self._pool.fetchval(_SQL.bind_subject, user_id, issuer, subject, name) is not None

    async def _shown(self, user_ids: Sequence[Any], within: Within) -> list[console_users_pb2.ConsoleUser]:
        rows = await self._pool.fetch(_SQL.users, user_ids)
        places: dict[Any, list[console_users_pb2.Membership]] = {}
        for row in await self._pool.fetch(_SQL.memberships, [row["id"] for row in rows], within):
            places.setdefault(row["user_id"], []).append(
                console_users_pb2.Membership(
                    account_id=str(row["account_id"] or ""), tenant_id=str(row["tenant_id"] or ""), role=row["role"]
                )
            )
        return [_user(row, places.get(row["id"], []), within) for row in rows]


@asynccontextmanager
async def _keeping_an_owner(connection: _Connection) -> AsyncIterator[None]:
    """Raise CONFLICT after a change by which the last owner is gone who can sign in."""
    await connection.execute(_SQL.lock_owners)
    had_one = await connection.fetchval(_SQL.owner_exists)
    yield
    if had_one and not await connection.fetchval(_SQL.owner_exists):
        raise ClarionError(
            Code.CONFLICT,
            "This is the only owner of the installation who can sign in. Make somebody else an owner first.",
        )


async def _accounts_of(connection: _Connection, places: Sequence[Place], within: Sequence[str]) -> set[str]:
    """Return the accounts of places. Raises FORBIDDEN or INVALID if one of them is not within these accounts."""
    if any(place.account_id is None and place.tenant_id is None for place in places):
        raise ClarionError(
            Code.FORBIDDEN, "A role in the whole installation can be given by an owner of the installation only."
        )
    columns = [[getattr(place, name) for place in places] for name in ("account_id", "tenant_id")]
    found = [str(row["account_id"]) for row in await connection.fetch(_SQL.accounts_of, *columns)]
    for place, account_id in zip(places, found, strict=True):
        # The same as for one that does not exist.
        if account_id not in within:
            raise _no_place("an account" if place.account_id else "a tenant")
    return set(found)


async def _account_of(connection: _Connection, places: Sequence[Place], within: Sequence[str]) -> str:
    """Return the account that a person with these places belongs to. Raises as _accounts_of(), and CONFLICT."""
    accounts = await _accounts_of(connection, places, within)
    if len(accounts) != 1:
        raise ClarionError(
            Code.INVALID,
            "memberships must be at least one, all in one account",
            fields=[("memberships", "must be at least one, all in one account")],
        )
    (account_id,) = accounts
    if await connection.fetchval(_SQL.count_of_account, account_id) >= MAX_USERS_OF_ACCOUNT:
        raise ClarionError(Code.CONFLICT, f"There are {MAX_USERS_OF_ACCOUNT} users of this account. Delete one first.")
    return account_id


async def _insert_places(connection: _Connection, user_id: Any, places: Sequence[Place]) -> None:
    columns = [[getattr(place, name) for place in places] for name in ("account_id", "tenant_id", "role")]
    try:
        await connection.execute(_SQL.insert_memberships, user_id, *columns)
    except asyncpg.ForeignKeyViolationError as error:
        if error.constraint_name and "user_id" in error.constraint_name:
            raise no_such_user() from None
        raise _no_place("an account" if "account" in (error.constraint_name or "") else "a tenant") from None


def _no_place(what: str) -> ClarionError:
    fault = ("memberships", f"name {what} that does not exist")
    return ClarionError(Code.INVALID, " ".join(fault), fields=[fault])


def _credentials(row: Any) -> Credentials:
    return Credentials(str(row["id"]), row["email"], row["password"], row["disabled"])


def _user(row: Any, places: list[console_users_pb2.Membership], within: Within) -> console_users_pb2.ConsoleUser:
    account_id = str(row["account_id"] or "")
    # When somebody from elsewhere signs in, or is invited, is not told to the owners of an account.
    is_shown = within is None or account_id in within

    def micros(name: str) -> int:
        return micros_of(row[name]) if row[name] and is_shown else 0

    return console_users_pb2.ConsoleUser(
        id=str(row["id"]),
        email=row["email"],
        name=row["name"],
        disabled=row["disabled"],
        memberships=places,
        has_password=row["has_password"],
        has_provider=row["has_provider"],
        created_at_us=micros_of(row["created_at"]),
        last_sign_in_at_us=micros("last_sign_in_at"),
        link_expires_at_us=micros("link_expires_at"),
        # Of another account than these it is nobody's business.
        account_id=account_id if is_shown else "",
    )


def no_such_user() -> ClarionError:
    """Return the error for a user who does not exist."""
    return ClarionError(Code.NOT_FOUND, "There is no such console user.")


def owner_exists() -> ClarionError:
    """Return the error for a first owner where there is one."""
    return ClarionError(
        Code.CONFLICT,
        "This installation has an owner. To sign in again, reset the owner's password:"
        " `clarion owner-link --reset <e-mail address>`.",
    )


def _email_taken() -> ClarionError:
    fault = ("email", "belongs to another console user")
    return ClarionError(Code.CONFLICT, " ".join(fault), fields=[fault])
