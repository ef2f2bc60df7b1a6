"""Headers whose values no record and no page shows: they open a session, or say who somebody is. Pure."""

HIDDEN = "***"

_SECRET = frozenset(
    {
        "authorization",
        "authentication-info",
        "cookie",
        "proxy-authenticate",
        "proxy-authorization",
        "set-cookie",
        "set-cookie2",
        "www-authenticate",
        "x-api-key",
        "x-auth-token",
        "x-csrf-token",
    }
)
# A signature proves who sent a message to whoever sees it: webhook-signature, x-hub-signature-256, signature-input.
_SIGNATURE = "signature"


def is_secret(name: str) -> bool:
    """Return whether a header's value may be a secret. name: in any case."""
    lower = name.lower()
    return lower in _SECRET or _SIGNATURE in lower


def shown(name: str, value: str) -> str:
    """Return the value of a header of an HTTP message, hidden if it may be a secret."""
    return HIDDEN if is_secret(name) else value
