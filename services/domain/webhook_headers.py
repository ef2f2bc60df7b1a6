"""Which headers an endpoint may have of its own: the router checks them by it, and the senders once more. Pure."""

import re

# Clarion sets these itself, or they say how a message is framed.
_RESERVED = frozenset(
    {
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)
_RESERVED_PREFIXES = ("clarion-", "proxy-", "webhook-")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
# No line ends and no other control characters but the tab (RFC 9110, 5.5).
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


def is_name(name: str) -> bool:
    """Return whether it can be the name of a header."""
    return _NAME.fullmatch(name) is not None


def is_reserved(name: str) -> bool:
    """Return whether Clarion sets the header itself, or it belongs to the connection."""
    lower = name.lower()
    return lower in _RESERVED or lower.startswith(_RESERVED_PREFIXES)


def may_be_sent(name: str, value: str) -> bool:
    """Return whether an endpoint's own header can be sent: no value can begin another line."""
    is_one_line = _VALUE.fullmatch(value) is not None and value == value.strip()
    return is_name(name) and not is_reserved(name) and is_one_line
