"""Who asks, and which roles they have where."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from gateway.access.roles import Role


@dataclass(frozen=True, slots=True)
class Membership:
    """A role, and where it applies: in an account, in a tenant, or, without both, in the whole installation."""

    account_id: str | None
    tenant_id: str | None
    role: Role


@dataclass(frozen=True, slots=True)
class Asker:
    """A console user with a session, or an admin token.

    name: of the token, or the person's. user_id, session_id, email: empty for a token. tenants: the roles in tenants,
    by memberships in them and in their accounts. expires_at_us: when the session ends if it is not used; ends_at_us: in
    any case; Unix microseconds.
    """

    name: str
    memberships: tuple[Membership, ...]
    user_id: str = ""
    session_id: str = ""
    email: str = ""
    tenants: Mapping[str, Role] = field(default_factory=dict)
    expires_at_us: int = 0
    ends_at_us: int = 0
    # Of the cookie.
    token: str = field(default="", repr=False)

    @property
    def is_person(self) -> bool:
        """Whether this is a console user."""
        return bool(self.user_id)

    @property
    def actor(self) -> str:
        """The name in the audit log."""
        return f"user:{self.user_id}" if self.user_id else self.name

    @property
    def everywhere(self) -> int:
        """The role in the whole installation; 0: none."""
        return max((one.role for one in self.memberships if not (one.account_id or one.tenant_id)), default=0)

    @property
    def highest(self) -> int:
        """The greatest role anywhere; 0: none."""
        return max((one.role for one in self.memberships), default=0)

    def in_tenant(self, tenant_id: str) -> int:
        """Return the role in a tenant; 0: none."""
        return max(self.everywhere, self.tenants.get(tenant_id, 0))

    def in_account(self, account_id: str) -> int:
        """Return the role in an account; 0: none."""
        own = (one.role for one in self.memberships if one.account_id == account_id)
        return max(self.everywhere, max(own, default=0))

    def accounts_with(self, role: Role) -> list[str]:
        """Return the accounts in which they have at least this role by a membership in the account itself."""
        return [one.account_id for one in self.memberships if one.account_id and one.role >= role]

    def tenants_with(self, role: Role) -> list[str] | None:
        """Return the tenants in which they have at least this role; None: in all."""
        if self.everywhere >= role:
            return None
        return [tenant_id for tenant_id, own in self.tenants.items() if own >= role]


# Set before a handler of the admin API is called.
ASKER = web.RequestKey("asker", Asker)


def operator(name: str, role: Role) -> Asker:
    """Return an admin token as somebody who asks."""
    return Asker(name, (Membership(None, None, role),))
