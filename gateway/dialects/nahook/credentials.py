"""Keys and tokens: where a request carries them, and what each is good for."""

from aiohttp import web

from gateway.authentication import AuthenticatedTenant, CachedAuthenticator
from gateway.dialects import KeyKind
from gateway.dialects.nahook.errors import INVALID_API_KEY, TOKEN_DISABLED, ApiError
from gateway.observing import TENANT_ID
from runtime.errors import ClarionError, Code

# The kinds of credentials, and how their texts begin: the region "us" is the only one that the vendor serves, and its
# SDKs without a base URL choose their host by it.
INGEST = "nahook"
MANAGEMENT = "nahook_management"
KEY_KINDS = {
    INGEST: KeyKind(prefix="nhk_us_", scopes_are_ids=True),
    MANAGEMENT: KeyKind(prefix="nhm_", sends=False),
}


async def ingest_key(authenticator: CachedAuthenticator, request: web.Request) -> AuthenticatedTenant:
    """Return what the request's API key is good for. Raises ClarionError, or ApiError for a disabled key."""
    return await _identify(authenticator, request, INGEST)


async def management_token(authenticator: CachedAuthenticator, request: web.Request) -> AuthenticatedTenant:
    """Return what the request's management token is good for. Raises like ingest_key().

    A token is good for a whole workspace. One that an operator made for less is refused, so that it is not more.
    """
    found = await _identify(authenticator, request, MANAGEMENT)
    if found.scopes or found.endpoint_ids:
        raise ClarionError(Code.FORBIDDEN, "This token is limited to a part of its workspace: it manages nothing.")
    return found


def check_fans_out(key: AuthenticatedTenant) -> None:
    """Raise ApiError for a key that is good for some endpoints only: it may not send to all subscribers."""
    if key.endpoint_ids:
        message = "This key is limited to endpoints. Triggering an event type needs a key for the whole workspace."
        raise ApiError(400, INVALID_API_KEY, message)


def check_endpoint(key: AuthenticatedTenant, endpoint_id: str) -> None:
    """Raise FORBIDDEN for an endpoint that the key may not send to."""
    if key.endpoint_ids and endpoint_id not in key.endpoint_ids:
        raise ClarionError(Code.FORBIDDEN, "This key is limited to other endpoints.")


async def _identify(authenticator: CachedAuthenticator, request: web.Request, kind: str) -> AuthenticatedTenant:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    key = shown.strip() if scheme.lower() == "bearer" else ""
    found = await authenticator.tenant(request, key, kind, disabled_too=True)
    request[TENANT_ID] = found.id
    if found.disabled:
        raise ApiError(403, TOKEN_DISABLED, "This key is disabled.")
    return found
