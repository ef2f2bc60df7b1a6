"""Cursors that only the list takes that gave them out: nobody can make one, or use one for another list."""

import base64
import binascii
import hmac

from runtime.errors import ClarionError, Code

_MAC_BYTES = 16


class Cursors:
    """Seals and opens cursors. secret: shared by all gateways, which all take each other's cursors."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), b"cursors", "sha256")

    def seal(self, cursor: str, *bound: str) -> str:
        """Return a service's cursor in the form for a caller. bound: what identifies the list, filters included."""
        return base64.urlsafe_b64encode(self._mac(cursor, bound) + cursor.encode()).decode().rstrip("=")

    def open(self, text: str, *bound: str) -> str:
        """Return the service's cursor. Raises INVALID for anything that seal() has not made for this list."""
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            mac, cursor = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:].decode()
        except (binascii.Error, ValueError):
            mac, cursor = b"", ""
        if not hmac.compare_digest(mac, self._mac(cursor, bound)):
            says = "must be the cursor of a page of this list, with the same filters"
            raise ClarionError(Code.INVALID, f"cursor {says}", fields=[("cursor", says)])
        return cursor

    def _mac(self, cursor: str, bound: tuple[str, ...]) -> bytes:
        parts = "\x1f".join([f"{len(part)}:{part}" for part in (cursor, *bound)])
        return hmac.digest(self._key, parts.encode(), "sha256")[:_MAC_BYTES]
