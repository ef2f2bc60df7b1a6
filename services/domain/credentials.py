"""What a credential of a tenant is good for: pure."""

from collections.abc import Collection

from runtime.errors import ClarionError, Code

# The kind of a tenant's API key, with which its own services send events.
API_KEY = "api"


def scope_of(wanted: str, scopes: Collection[str]) -> str:
    """Return the scope of an event. wanted: the event's own; scopes: those of its caller's credential, empty: all.

    An event that names none gets the only scope of its credential. Raises FORBIDDEN for a scope that is not allowed.
    """
    if not scopes or wanted in scopes:
        return wanted
    if not wanted and len(scopes) == 1:
        return next(iter(scopes))
    allowed = ", ".join(sorted(scopes))
    raise ClarionError(Code.FORBIDDEN, f"This key is only for the scopes {allowed}. Name one of them as the scope.")
