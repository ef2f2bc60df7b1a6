"""The claims of a connection token, unverified. Only the hub has the secret to verify it.

So the gateway must not use the claims before the hub has accepted the token.
"""

import base64
import binascii
import re
from dataclasses import dataclass

import msgspec

_NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _Payload(msgspec.Struct):
    sub: str = ""
    # Allowed channel names before "#". None: an earlier version issued the token.
    namespaces: list[str] | None = None


_decode = msgspec.json.Decoder(_Payload).decode


@dataclass(frozen=True, slots=True)
class Claims:
    """The user of a token and the channels it opens. namespaces: None if the token lists none."""

    principal: str
    namespaces: frozenset[str] | None

    def opens(self, channel: str) -> bool:
        """Return whether the token opens the channel. Without namespaces: whether it may."""
        namespace, _, user = channel.partition("#")
        if user != self.principal:
            return False
        if self.namespaces is None:
            return _NAMESPACE.fullmatch(namespace) is not None
        return namespace in self.namespaces


def claims_of(token: str) -> Claims | None:
    """Return the claims of a JWT. None: they cannot be read, and the hub will refuse it."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = _decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError, msgspec.DecodeError):
        return None
    return Claims(payload.sub, None if payload.namespaces is None else frozenset(payload.namespaces))
