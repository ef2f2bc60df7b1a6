"""A tenant's API keys, as they are stored and published: pure."""

import hashlib

import msgspec

from services.domain.credentials import API_KEY

# Of random bytes.
KEY_BYTES = 32


class ApiKey(msgspec.Struct, frozen=True):
    """What a key is good for. scopes: of events; empty: all. expires_at_us: Unix microseconds; 0: it does not end."""

    tenant_id: str
    kind: str = API_KEY
    scopes: tuple[str, ...] = ()
    expires_at_us: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether it is good for everything, for ever, as the keys of earlier versions are."""
        return self == ApiKey(self.tenant_id)

    def is_expired(self, now_us: int) -> bool:
        """Return whether it has ended."""
        return 0 < self.expires_at_us <= now_us


_decode = msgspec.json.Decoder(ApiKey).decode


def digest_of(api_key: str) -> bytes:
    """Return the SHA-256 of a key, which is all that is stored of it."""
    return hashlib.sha256(api_key.strip().encode()).digest()


def api_key_value(key: ApiKey) -> bytes:
    """Return the value to publish for a key: of a plain one the tenant's id, as earlier versions do, else JSON."""
    return key.tenant_id.encode() if key.is_plain else msgspec.json.encode(key)


def api_key_of(value: bytes) -> ApiKey:
    """Return the key of a published value."""
    return _decode(value) if value.startswith(b"{") else ApiKey(value.decode())
