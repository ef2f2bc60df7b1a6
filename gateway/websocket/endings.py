"""Codes with which the gateway ends a connection or refuses a command. They are Centrifugo's own.

Clients reconnect after codes below 3500, and do not after codes from 3500 to 3999.
"""

from typing import NamedTuple


class Ending(NamedTuple):
    """A WebSocket close code and its reason."""

    code: int
    reason: bytes


class Refusal(NamedTuple):
    """The error in the reply to a command. temporary: the client retries."""

    code: int
    message: str
    temporary: bool = False


# Codes of RFC 6455. Clients reconnect after these, too.
FULL = Ending(1013, b"too many connections, try again later")
RESTARTING = Ending(1012, b"")
TOO_SLOW = Ending(1013, b"too slow")

TOO_MANY_REQUESTS = Ending(3013, b"too many requests")
INVALID_TOKEN = Ending(3500, b"invalid token")
BAD_REQUEST = Ending(3501, b"bad request")
# The browser did not authenticate in time.
STALE = Ending(3502, b"stale")
# The user has too many connections.
CONNECTION_LIMIT = Ending(3504, b"connection limit")

PERMISSION_DENIED = Refusal(103, "permission denied")
REQUEST_LIMIT = Refusal(111, "too many requests", temporary=True)
