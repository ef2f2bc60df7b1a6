"""X-Orqestra-Signature: hex HMAC-SHA256 over the body as it arrived."""

import hashlib
import hmac
from collections.abc import Iterable

from runtime.errors import ClarionError, Code

HEADER = "X-Orqestra-Signature"

_MISSING = "is missing: this tenant's events must be signed"
_WRONG = "is wrong: it must be the hex HMAC-SHA256 of the body's bytes as sent, under the tenant's webhook secret"


def is_signed(raw: bytes, shown: str, secrets: Iterable[str]) -> bool:
    """Tell whether one of the secrets signed these bytes. Takes as long whichever it was."""
    given = shown.strip().lower().encode("utf-8", "surrogateescape")
    matches = [
        hmac.compare_digest(given, hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest().encode())
        for secret in secrets
    ]
    return any(matches)


def refusal(shown: str) -> ClarionError:
    """Return what a caller hears whose key is right and whose signature is not. The key's tenant is known by then."""
    description = _WRONG if shown else _MISSING
    return ClarionError(Code.UNAUTHENTICATED, f"{HEADER} {description}", fields=[(HEADER, description)])
