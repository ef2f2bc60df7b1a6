"""Keyed digests of people: they recognise a suppressed, erased or revoked person, and a stolen table reveals nobody.

Those of one-time codes are keyed, too, because a code has few digits.

The key, CLARION_PSEUDONYM_KEY, never changes, other than the encryption keys: with another key nobody is recognised.
So each owner of such digests stores and publishes its key's fingerprint, and a process with another key does not start.
"""

import hashlib
import hmac

from runtime.errors import ClarionError, Code

PREFIX = "pseudonyms"
SETTING = "CLARION_PSEUDONYM_KEY"
MIN_BYTES = 32


class Pseudonyms:
    """Makes the digests. key: at least 32 bytes. Raises INVALID for a shorter one."""

    def __init__(self, key: str) -> None:
        secret = key.encode()
        if len(secret) < MIN_BYTES:
            raise ClarionError(Code.INVALID, f"{SETTING} must have at least {MIN_BYTES} bytes.")
        # One key for each purpose, so that a person has a different digest for each.
        self._suppressions, self._erasures, self._revocations, self._codes, fingerprint = (
            hmac.digest(secret, f"clarion/{purpose}".encode(), "sha256")
            for purpose in ("suppressions", "erasures", "revocations", "codes", "fingerprint")
        )
        # Identifies the key without revealing it.
        self.fingerprint = fingerprint[:16].hex()

    def suppression(self, digest: bytes) -> bytes:
        """Return the 32 bytes that stand for an address. digest: the unkeyed digest (suppression_list.digest)."""
        return _mac(self._suppressions, digest)

    def erasure(self, digest: bytes) -> str:
        """Return the 64 hex digits that stand for an erased recipient. digest: see unkeyed()."""
        return _mac(self._erasures, digest).hex()

    def revocation(self, tenant_id: str, user_id: str) -> str:
        """Return the 64 hex digits that stand for a user whose tokens were revoked."""
        return _mac(self._revocations, unkeyed(tenant_id, user_id)).hex()

    def code(self, session: bytes, code: str) -> bytes:
        """Return the 32 bytes that stand for a one-time code. session: a digest, so that each has others."""
        return _mac(self._codes, hashlib.sha256(session + code.encode("utf-8", "surrogatepass")).digest())


def _mac(key: bytes, digest: bytes) -> bytes:
    # RFC 7693's keyed mode. HMAC takes four times as long, and each delivery needs a digest in each process it passes.
    return hashlib.blake2b(digest, key=key, digest_size=32).digest()


def unkeyed(tenant_id: str, user_id: str) -> bytes:
    """Return a recipient's SHA-256. It is never stored."""
    return hashlib.sha256(f"{tenant_id}/{user_id}".encode()).digest()


def key(owner: str) -> str:
    """Return the configuration key under which an owner publishes its fingerprint."""
    return f"{PREFIX}.{owner}.key"


def check(fingerprint: bytes, pseudonyms: Pseudonyms) -> None:
    """Raise INVALID unless the fingerprint is that of this key."""
    if fingerprint.decode() != pseudonyms.fingerprint:
        raise ClarionError(
            Code.INVALID,
            f"{SETTING} is not the key with which the stored suppressions, erasures and revocations were made."
            " Set the former key: with another one, people who unsubscribed would receive mail again.",
        )
