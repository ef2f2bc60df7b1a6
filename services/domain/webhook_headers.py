"""Which headers an endpoint may have of its own: the router checks them by it, and the senders once more. Pure."""

import re

# At most so many, and so many bytes of names and values together.
MAX_HEADERS = 20
MAX_BYTES = 8_192

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
_RESERVED_PREFIXES = ("proxy-", "webhook-")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
# No line ends and no other control characters but the tab (RFC 9110, 5.5).
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


def fault(name: str, value: str) -> str:
    """Return what is wrong with a header, as the end of a sentence that begins with its name; empty: nothing is."""
    if not _NAME.fullmatch(name):
        return "is not the name of a header"
    lower = name.lower()
    if lower in _RESERVED or lower.startswith(_RESERVED_PREFIXES):
        return "is set by Clarion"
    if not _VALUE.fullmatch(value) or value != value.strip():
        return "must be one line without control characters, and without blanks around it"
    return ""


def faults(headers: dict[str, str]) -> list[tuple[str, str]]:
    """Return the names with what is wrong with them, see fault(). Empty: the headers may be stored."""
    found = [(name, why) for name, value in headers.items() if (why := fault(name, value))]
    if len(headers) > MAX_HEADERS:
        found.append(("headers", f"must be at most {MAX_HEADERS}"))
    if sum(len(name) + len(value.encode()) for name, value in headers.items()) > MAX_BYTES:
        found.append(("headers", f"must have at most {MAX_BYTES:,} bytes together"))
    lower = [name.lower() for name in headers]
    found += [(name, "is there twice") for name in headers if lower.count(name.lower()) > 1]
    return found
