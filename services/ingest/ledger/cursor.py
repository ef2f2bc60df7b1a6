"""Cursors of lists that are bound to their tenant and filters: pure."""

import base64
import binascii
import hmac
import uuid
from collections.abc import Callable, Sequence

from services.domain.checks import invalid

# Of a signature; enough that nobody guesses one.
_TAG_BYTES = 16
_ID_BYTES = 16


class Cursors:
    """Makes and reads cursors that hold two ids. tags: see runtime.encryption.Vault.tags."""

    def __init__(self, tags: Callable[[str], list[bytes]]) -> None:
        self._tags = tags

    def encode(self, position: tuple[str, str], bound_to: Sequence[object]) -> str:
        """Return a cursor. bound_to: what the list was asked for; the cursor is good for nothing else."""
        ids = b"".join(uuid.UUID(id_).bytes for id_ in position)
        return base64.urlsafe_b64encode(ids + self._signatures(ids, bound_to)[0]).decode()

    def decode(self, cursor: str, bound_to: Sequence[object]) -> tuple[str, str]:
        """Return the cursor's ids. Raises INVALID naming "cursor": it is not one of this list."""
        try:
            raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raw = b""
        ids, tag = raw[: 2 * _ID_BYTES], raw[2 * _ID_BYTES :]
        if len(ids) < 2 * _ID_BYTES or not any(
            hmac.compare_digest(tag, signature) for signature in self._signatures(ids, bound_to)
        ):
            raise invalid("cursor", "must be the next_cursor of a page with the same filters")
        return str(uuid.UUID(bytes=ids[:_ID_BYTES])), str(uuid.UUID(bytes=ids[_ID_BYTES:]))

    def _signatures(self, ids: bytes, bound_to: Sequence[object]) -> list[bytes]:
        text = f"ingest/cursor/{ids.hex()}/{list(bound_to)!r}"
        return [tag[:_TAG_BYTES] for tag in self._tags(text)]
