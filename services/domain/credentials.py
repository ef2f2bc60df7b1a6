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


def check_endpoint(endpoint_id: str, endpoint_ids: Collection[str]) -> None:
    """Raise FORBIDDEN if a credential may not send an event to this endpoint.

    endpoint_id: empty: the event is not for one endpoint. endpoint_ids: those of the credential; empty: all.
    """
    if not endpoint_ids or endpoint_id in endpoint_ids:
        return
    allowed = ", ".join(sorted(endpoint_ids))
    raise ClarionError(Code.FORBIDDEN, f"This key is only for the endpoints {allowed}. Send the event to one of them.")
