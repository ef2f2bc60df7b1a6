"""Who calls, for tests of bodies."""

from gateway.authentication import AuthenticatedTenant
from gateway.dialects.sendmator.credentials import KIND, Caller

TENANT = "01a1fe7a-0000-7000-8000-000000000001"
TEAM = "01a1fe7a-0000-7000-8000-00000000000a"
OTHER_TEAM = "01a1fe7a-0000-7000-8000-00000000000b"


def caller(*scopes: str, team: str = TEAM, names_team: bool = True) -> Caller:
    """Return the holder of a key for these teams; none: for all."""
    return Caller(AuthenticatedTenant(TENANT, "Acorn", "", kind=KIND, scopes=scopes, key_id="k"), team, names_team)
