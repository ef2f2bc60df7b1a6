"""The configuration bucket's name, and the letters that its keys may have."""

import base64

BUCKET = "CONFIG"

# Written to only to see whether the bucket stores.
HEALTH_SUBJECT = f"$KV.{BUCKET}.health"


def key_part(text: str) -> str:
    """Return text in the letters that a key may have (base64url, "_" for the empty text)."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") or "_"


def key_text(part: str) -> str:
    """Return the text that key_part turned into this part of a key. Raises ValueError if there is none."""
    if part == "_":
        return ""
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True).decode()
