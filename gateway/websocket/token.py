"""What a connection token says, unverified: the hub, which has the secret, decides whether it is genuine.

So nothing of it counts before the hub has accepted it.
"""

import base64
import binascii
import re
from dataclasses import dataclass

import msgspec

_NAMESPACE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _Payload(msgspec.Struct):
    sub: str = ""
    # What may stand before "#" in the channels; None: issued by a version that did not say.
    namespaces: list[str] | None = None


_decode = msgspec.json.Decoder(_Payload).decode


@dataclass(frozen=True, slots=True)
class Claims:
    """Whose token it is, and which channels it opens. namespaces: None where the token does not say."""

    principal: str
    namespaces: frozenset[str] | None

    def opens(self, channel: str) -> bool:
        """Tell whether the channel was issued; of a token that does not say: whether it could have been."""
        namespace, _, user = channel.partition("#")
        if user != self.principal:
            return False
        if self.namespaces is None:
            return _NAMESPACE.fullmatch(namespace) is not None
        return namespace in self.namespaces


def claims_of(token: str) -> Claims | None:
    """Return a JWT's claims; None where there are none to read: the hub will refuse it."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = _decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError, msgspec.DecodeError):
        return None
    return Claims(payload.sub, None if payload.namespaces is None else frozenset(payload.namespaces))
