"""Computes principals, the opaque names of users at the realtime hub, and the names of their channels.

The hub does not know tenants: a connection of user ``x`` may read every channel that ends in ``#x``. So a principal
must belong to exactly one user of one tenant, and must not contain characters that have a meaning for the hub.
"""

import base64
import hmac
import re
from collections.abc import Iterable
from typing import NamedTuple

# The part of a channel before "#" if the template names no namespace.
GLOBAL_NAMESPACE = "global_system"
# The number of channels to which the hub lets one connection subscribe.
MAX_CHANNELS = 128
MAX_NAMESPACE = 64

# Bytes of the keyed hashes in a principal: 40 bits for the tenant's tag and 120 for the user, together 32 letters and
# digits without padding. If two tenants share a tag (one pair in 10^12), the cost is only a reconnection.
_TAG_BYTES = 5
_BYTES = 15
_NAMESPACE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_NAMESPACE}}}")
# Characters of a channel's name: a namespace, "#" and a principal.
MAX_CHANNEL_LENGTH = MAX_NAMESPACE + 1 + (_TAG_BYTES + _BYTES) * 8 // 5


class Epoch(NamedTuple):
    """Numbers that increase with each revocation, one for the tenant and one for the user."""

    tenant: int = 0
    user: int = 0


class Principals:
    """Computes principals. secret: anyone who knows it can compute them. A new secret changes all of them."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def of(self, tenant_id: str, user_id: str, epoch: Epoch) -> str:
        """Return the principal of this user in this epoch: 32 letters (a to z) and digits (2 to 7), the tag first."""
        digest = self._digest(tenant_id, user_id, str(epoch.tenant), str(epoch.user))
        return self.tag(tenant_id, epoch.tenant) + _letters(digest[:_BYTES])

    def tag(self, tenant_id: str, epoch: int) -> str:
        """Return the tag: how the principals of all users of a tenant start in this epoch of the tenant."""
        return _letters(self._digest(tenant_id, str(epoch))[:_TAG_BYTES])

    def _digest(self, *parts: str) -> bytes:
        # Each part has its length in front, so two different users never have the same input.
        encoded = [part.encode() for part in parts]
        return hmac.digest(self._secret, b"".join(len(part).to_bytes(4) + part for part in encoded), "sha256")


def _letters(raw: bytes) -> str:
    return base64.b32encode(raw).decode().lower()


def is_namespace(text: str) -> bool:
    """Return whether text is a valid namespace: 1 to 64 letters, digits, "_" and "-"."""
    return _NAMESPACE.fullmatch(text) is not None


def channel(namespace: str, principal: str) -> str:
    """Return the channel of one user; an empty namespace is the global one."""
    return f"{namespace or GLOBAL_NAMESPACE}#{principal}"


def issued(namespaces: Iterable[str]) -> list[str]:
    """Return the namespaces of a token: the global one, then the others in alphabetical order, at most MAX_CHANNELS."""
    others = sorted({name for name in namespaces if is_namespace(name)} - {GLOBAL_NAMESPACE})
    return [GLOBAL_NAMESPACE, *others][:MAX_CHANNELS]


def channels(namespaces: Iterable[str], principal: str) -> list[str]:
    """Return a user's channels, one for each issued namespace."""
    return [channel(name, principal) for name in issued(namespaces)]
