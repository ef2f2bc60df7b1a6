"""Keyed digests of people: who is suppressed, erased or revoked is recognised, and cannot be guessed from a table.

The key, CLARION_PSEUDONYM_KEY, is none of the encryption keys: these are replaced from time to time, while with another
key here nobody is recognised any more. So each owner of such digests keeps a fingerprint of its key and publishes it,
and a process with another key does not start.
"""

import hashlib
import hmac
from collections.abc import Sequence

from runtime.configuration import ConfigurationWatch
from runtime.errors import ClarionError, Code
from runtime.reconcile import ConfigurationSource, RowReader

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


def source(owner: str) -> ConfigurationSource:
    """Return what the bucket holds of <owner>.pseudonym_key; the last of an owner's sources, for all is keyed then."""

    async def keys(reader: RowReader, after: str, _: int) -> list[str]:
        return [] if after else list(await read(reader, [key(owner)]))

    async def read(reader: RowReader, wanted: Sequence[str]) -> dict[str, bytes]:
        rows = await reader.fetch(f"SELECT fingerprint FROM {owner}.pseudonym_key WHERE copied")
        return {key(owner): row["fingerprint"].encode() for row in rows if key(owner) in wanted}

    return ConfigurationSource(f"{PREFIX}.{owner}", keys, read)


async def recognise(watch: ConfigurationWatch, pseudonyms: Pseudonyms, *owners: str) -> None:
    """Wait until each of these owners has published by which key its digests are made.

    Raises INVALID where it is another key. watch: one with PREFIX among its prefixes.
    """
    for owner in owners:
        check(await watch.value(key(owner)), pseudonyms)


def check(fingerprint: bytes, pseudonyms: Pseudonyms) -> None:
    """Raise INVALID unless the fingerprint is that of this key."""
    if fingerprint.decode() != pseudonyms.fingerprint:
        raise ClarionError(
            Code.INVALID,
            f"{SETTING} is not the key by which the stored suppressions, erasures and revocations were made:"
            " set the former key. With another one, people who unsubscribed would be written to again.",
        )
