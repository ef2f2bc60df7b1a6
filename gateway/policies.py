"""Parts of Content-Security-Policy headers."""

import re

_HOST = re.compile(r"[A-Za-z0-9.\-\[\]:]{1,255}")


def sockets_of(host: str) -> str:
    """Return sources for WebSockets to the host of a request, with a space before each; empty if it is no host.

    Some browsers do not count a WebSocket to the same host as 'self'.
    """
    return f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
