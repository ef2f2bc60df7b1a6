"""Keyed digests of people: who is suppressed, erased or revoked is recognised, and cannot be guessed from a table.

The key, CLARION_PSEUDONYM_KEY, is none of the encryption keys: these are replaced from time to time, while with another
key here nobody is recognised any more. So each owner of such digests keeps a fingerprint of its key and publishes it,
and a process with another key does not start.
"""

import hashlib
import hmac

from runtime.errors import ClarionError, Code

PREFIX = "pseudonyms"
SETTING = "CLARION_PSEUDONYM_KEY"
MIN_BYTES = 32


class Pseudonyms:
    """Makes the digests. key: at least 32 bytes; raises INVALID for a shorter one."""

    def __init__(self, key: str) -> None:
        secret = key.encode()
        if len(secret) < MIN_BYTES:
            raise ClarionError(Code.INVALID, f"{SETTING} must have at least {MIN_BYTES} bytes.")
        # A key for each purpose: the same person has another digest in each of them.
        self._suppressions, self._erasures, self._revocations, fingerprint = (
            hmac.digest(secret, f"clarion/{purpose}".encode(), "sha256")
            for purpose in ("suppressions", "erasures", "revocations", "fingerprint")
        )
        # Tells two keys apart, and nothing else.
        self.fingerprint = fingerprint[:16].hex()

    def suppression(self, digest: bytes) -> bytes:
        """Return the 32 bytes that stand for an address. digest: its unkeyed one (services.domain.suppressed)."""
        return _mac(self._suppressions, digest)

    def erasure(self, digest: bytes) -> str:
        """Return the 64 hex digits that stand for an erased recipient. digest: the unkeyed one (unkeyed)."""
        return _mac(self._erasures, digest).hex()

    def revocation(self, tenant_id: str, user_id: str) -> str:
        """Return the 64 hex digits that stand for a user whose tokens were revoked."""
        return _mac(self._revocations, unkeyed(tenant_id, user_id)).hex()


def _mac(key: bytes, digest: bytes) -> bytes:
    # RFC 7693's keyed mode: every delivery looks one up in each process it passes, and HMAC takes four times as long.
    return hashlib.blake2b(digest, key=key, digest_size=32).digest()


def unkeyed(tenant_id: str, user_id: str) -> bytes:
    """Return a recipient's SHA-256, which is stored nowhere."""
    return hashlib.sha256(f"{tenant_id}/{user_id}".encode()).digest()


def key(owner: str) -> str:
    """The configuration key of the fingerprint of an owner's key."""
    return f"{PREFIX}.{owner}.key"


def check(fingerprint: bytes, pseudonyms: Pseudonyms) -> None:
    """Raise INVALID unless the fingerprint is that of this key."""
    if fingerprint.decode() != pseudonyms.fingerprint:
        raise ClarionError(
            Code.INVALID,
            f"{SETTING} is not the key by which the stored suppressions, erasures and revocations were made:"
            " set the former key. With another one, people who unsubscribed would be written to again.",
        )
