"""X-Orqestra-Signature: hex HMAC-SHA256 over the body as it arrived."""

import hashlib
import hmac
from collections.abc import Iterable

HEADER = "X-Orqestra-Signature"


def is_signed(raw: bytes, shown: str, secrets: Iterable[str]) -> bool:
    """Tell whether one of the secrets signed these bytes. Takes as long whichever it was."""
    given = shown.strip().lower().encode("utf-8", "surrogateescape")
    matches = [
        hmac.compare_digest(given, hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest().encode())
        for secret in secrets
    ]
    return any(matches)
