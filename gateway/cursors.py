"""Cursors that say nothing, and that only the list takes that gave them out.

A service's cursor may name a row that its reader may not see, such as the last one of a scan over all tenants. So
callers get it encrypted: nobody can read one, make one, or use one for another list.
"""

import base64
import binascii
import hmac
import os

from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runtime.errors import ClarionError, Code

_NONCE_BYTES = 12


class Cursors:
    """Seals and opens cursors. secret: shared by all gateways, which all take each other's cursors."""

    def __init__(self, secret: str) -> None:
        self._cipher = AESGCM(hmac.digest(secret.encode(), b"sealed cursors", "sha256"))

    def seal(self, cursor: str, *bound: str) -> str:
        """Return a service's cursor in the form for a caller. bound: what identifies the list."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, cursor.encode(), _joined(bound))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, text: str, *bound: str) -> str:
        """Return the service's cursor. Raises INVALID for anything that seal() has not made for this list."""
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _joined(bound)).decode()
        except (binascii.Error, ValueError, InvalidTag):
            says = "must be the cursor of a page of this list, with the same filters"
            raise ClarionError(Code.INVALID, f"cursor {says}", fields=[("cursor", says)]) from None


# Of an application whose lists have cursors.
CURSORS = web.AppKey("cursors", Cursors)


def _joined(bound: tuple[str, ...]) -> bytes:
    return "\x1f".join([f"{len(part)}:{part}" for part in bound]).encode()
