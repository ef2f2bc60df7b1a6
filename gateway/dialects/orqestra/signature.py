"""X-Orqestra-Signature: HMAC-SHA256 of the body as received, in hexadecimal."""

import hashlib
import hmac
from collections.abc import Iterable

from runtime.errors import ClarionError, Code

HEADER = "X-Orqestra-Signature"

_MISSING = "is missing: this tenant's events must be signed"
_WRONG = "is wrong: it must be the hex HMAC-SHA256 of the body's bytes as sent, under the tenant's webhook secret"


def is_signed(raw: bytes, shown: str, secrets: Iterable[str]) -> bool:
    """Return whether one of the secrets signed these bytes, in constant time."""
    given = shown.strip().lower().encode("utf-8", "surrogateescape")
    matches = [
        hmac.compare_digest(given, hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest().encode())
        for secret in secrets
    ]
    return any(matches)


def refusal(shown: str) -> ClarionError:
    """Return the error for a valid key with a wrong or missing signature."""
    description = _WRONG if shown else _MISSING
    return ClarionError(Code.UNAUTHENTICATED, f"{HEADER} {description}", fields=[(HEADER, description)])
