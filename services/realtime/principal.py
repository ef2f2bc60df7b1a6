"""Who a person is to the realtime hub: an opaque name, and the channels made of it.

The hub knows no tenants: it lets whoever connects as ``x`` read every channel that ends in ``#x``. So a
name must belong to one user of one tenant, and must hold nothing that the hub reads as punctuation.
"""

import base64
import hmac
import re
from collections.abc import Iterable
from typing import NamedTuple

# The part before "#" for templates that name none.
GLOBAL_NAMESPACE = "global_system"
# As many channels as the hub lets one connection subscribe to.
MAX_CHANNELS = 128
MAX_NAMESPACE = 64

# Bytes of the keyed hashes that make the name: 40 bits of tag, 120 of the user, together 32 letters and digits
# without padding. A tag that two tenants share (one pair in a million million) costs a reconnection, no more.
_TAG_BYTES = 5
_BYTES = 15
_NAMESPACE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_NAMESPACE}}}")
# Of a channel's name, in characters: a namespace, "#" and a principal.
MAX_CHANNEL_LENGTH = MAX_NAMESPACE + 1 + (_TAG_BYTES + _BYTES) * 8 // 5


class Epoch(NamedTuple):
    """How often the tokens of a tenant and of one user were revoked; counts up, never back."""

    tenant: int = 0
    user: int = 0


class Principals:
    """Makes the names. secret: whoever has it can compute them; a new one renames everybody."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def of(self, tenant_id: str, user_id: str, epoch: Epoch) -> str:
        """Return the 32 letters (a to z) and digits (2 to 7) for this user in this epoch; the tag comes first."""
        digest = self._digest(tenant_id, user_id, str(epoch.tenant), str(epoch.user))
        return self.tag(tenant_id, epoch.tenant) + _letters(digest[:_BYTES])

    def tag(self, tenant_id: str, epoch: int) -> str:
        """Return how the names of all users of a tenant begin in this epoch of the tenant's."""
        return _letters(self._digest(tenant_id, str(epoch))[:_TAG_BYTES])

    def _digest(self, *parts: str) -> bytes:
        # Each part goes in with its length in front, so no two different users give the same input.
        encoded = [part.encode() for part in parts]
        return hmac.digest(self._secret, b"".join(len(part).to_bytes(4) + part for part in encoded), "sha256")


def _letters(raw: bytes) -> str:
    return base64.b32encode(raw).decode().lower()


def is_namespace(text: str) -> bool:
    """Tell whether text may stand before "#": letters, digits, "_" and "-", at most 64."""
    return _NAMESPACE.fullmatch(text) is not None


def channel(namespace: str, principal: str) -> str:
    """Return the channel of one user; an empty namespace is the global one."""
    return f"{namespace or GLOBAL_NAMESPACE}#{principal}"


def issued(namespaces: Iterable[str]) -> list[str]:
    """Return the namespaces that a token opens: the global one, then the others by name, at most MAX_CHANNELS."""
    others = sorted({name for name in namespaces if is_namespace(name)} - {GLOBAL_NAMESPACE})
    return [GLOBAL_NAMESPACE, *others][:MAX_CHANNELS]


def channels(namespaces: Iterable[str], principal: str) -> list[str]:
    """Return a user's channels, one for each issued namespace."""
    return [channel(name, principal) for name in issued(namespaces)]
