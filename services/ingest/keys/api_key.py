"""A tenant's API keys, as they are stored and published: pure."""

import hashlib
from typing import Any

import msgspec

from services.domain.credentials import API_KEY

# Of random bytes.
KEY_BYTES = 32
# A time that is over, Unix microseconds.
_PAST_US = 1


class ApiKey(msgspec.Struct, frozen=True):
    """What a key is good for.

    scopes: of events; empty: all. expires_at_us: Unix microseconds; 0: it does not end. id: of a further key.
    endpoint_ids: the only ones that it may send to; empty: any.
    """

    tenant_id: str
    kind: str = API_KEY
    scopes: tuple[str, ...] = ()
    expires_at_us: int = 0
    id: str = ""
    disabled: bool = False
    endpoint_ids: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is good for everything, for ever, as the keys of earlier versions are."""
        return self == ApiKey(self.tenant_id)

    def is_expired(self, now_us: int) -> bool:
        """Return whether it has ended."""
        return 0 < self.expires_at_us <= now_us


class _Published(msgspec.Struct):
    """ends_at_us: expires_at_us of a key that versions before migration 0017 must not take for valid."""

    tenant_id: str
    kind: str = API_KEY
    scopes: tuple[str, ...] = ()
    expires_at_us: int = 0
    id: str = ""
    disabled: bool = False
    endpoint_ids: tuple[str, ...] = ()
    ends_at_us: int | None = None


_decode = msgspec.json.Decoder(_Published).decode


def digest_of(api_key: str) -> bytes:
    """Return the SHA-256 of a key, which is all that is stored of it."""
    return hashlib.sha256(api_key.strip().encode()).digest()


def api_key_value(key: ApiKey) -> bytes:
    """Return the value to publish for a key: of a plain one the tenant's id, as earlier versions do, else JSON.

    Versions before migration 0017 do not read the fields from id on. They take a key that one of the others restricts
    for one that has ended.
    """
    if key.is_plain:
        return key.tenant_id.encode()
    value: dict[str, Any] = {
        "tenant_id": key.tenant_id,
        "kind": key.kind,
        "scopes": key.scopes,
        "expires_at_us": key.expires_at_us,
    }
    if key.id:
        value["id"] = key.id
    if key.disabled or key.endpoint_ids:
        value |= {
            "expires_at_us": _PAST_US,
            "ends_at_us": key.expires_at_us,
            "disabled": key.disabled,
            "endpoint_ids": key.endpoint_ids,
        }
    return msgspec.json.encode(value)


def api_key_of(value: bytes) -> ApiKey:
    """Return the key of a published value."""
    if not value.startswith(b"{"):
        return ApiKey(value.decode())
    found = _decode(value)
    expires_at_us = found.expires_at_us if found.ends_at_us is None else found.ends_at_us
    return ApiKey(
        found.tenant_id, found.kind, found.scopes, expires_at_us, found.id, found.disabled, found.endpoint_ids
    )
