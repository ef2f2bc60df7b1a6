"""What a route asks of whoever calls it: a role, and where they must have it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from gateway.access.roles import Role


class Place(Enum):
    """Where the role is needed. The values stand in docs/console-roles.md."""

    # Without anybody signed in.
    ANYBODY = "nobody needs to sign in"
    # Any role anywhere, or none.
    SIGNED_IN = "anybody who is signed in"
    # A console user; a token has no sessions.
    PERSON = "every console user for themselves"
    # The role in the whole installation.
    INSTALLATION = "the installation"
    # The role in the whole installation, or in an account: then only for the people of this account.
    ACCOUNTS = "the installation, or an account for its own people"
    # The role anywhere: what is asked for belongs to no tenant.
    ANYWHERE = "any tenant"
    # The tenant {id} of the path.
    PATH = "the tenant in the path"
    # ?tenant_id=, which is required of people without a role in the whole installation.
    QUERY = "the tenant in the query"
    # ?tenant_id=; without it the platform's, which is read with the role in any tenant.
    QUERY_OR_ANY = "the tenant in the query; without one any tenant"
    # ?tenant_id=; without it the platform's, which is changed with the role in the whole installation.
    QUERY_OR_INSTALLATION = "the tenant in the query; without one the installation"
    # ?tenant_id=, or all tenants in which the person has the role.
    LIST = "the tenant in the query, or all tenants with the role"
    # tenant_id of the body; without it the whole installation: the platform's objects belong to no tenant.
    BODY = "the tenant in the body; without one the installation"
    # tenant_id of the body; without it any tenant: nothing of the platform is changed.
    BODY_OR_ANY = "the tenant in the body; without one any tenant"
    # account_id of the body; without it the whole installation.
    ACCOUNT = "the account in the body; without one the installation"


Kind = Literal["provider", "suppression", "template", "part", "event", "delivery", "run", "replay"]


@dataclass(frozen=True, slots=True)
class Owned:
    """The tenant of the object that the request names.

    kind: of the object. name: of the parameter with its id, in the path or the query. platform: an object of the
    platform may be used with the role in any tenant; else only with the role in the whole installation.
    """

    kind: Kind
    name: str = "id"
    platform: bool = False


@dataclass(frozen=True, slots=True)
class Needs:
    """What a field of the body asks in addition. everywhere: in the whole installation."""

    role: Role
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A role, and all places where it is needed. fields: what some fields of the body ask in addition."""

    role: Role
    places: tuple[Place | Owned, ...]
    fields: Mapping[str, Needs] = field(default_factory=dict)

    @property
    def is_list(self) -> bool:
        """Whether the route lists what belongs to several tenants."""
        return Place.LIST in self.places


def rule(role: Role, *places: Place | Owned, fields: Mapping[str, Needs] | None = None) -> Rule:
    """Return a rule."""
    return Rule(role, places, fields or {})
