"""Addresses on the web that only we can have made: of each provider's callbacks, and of each unsubscribe link."""

import base64
import binascii
import hmac
import urllib.parse
import uuid
from dataclasses import dataclass

from runtime.encryption import Vault
from runtime.errors import ClarionError, Code

_SECRET_BYTES = 24
_MAX_TOKEN = 1024
_IDS_BYTES = 48
_CONTEXT = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an unsubscribe link ends. address: as the message was sent to."""

    tenant_id: str
    event_id: str
    delivery_id: str
    address: str


class Links:
    """Made from the encryption keys: nothing is stored, and a link works for as long as its key is among them.

    public_url: where the gateway is for the world, "https://notify.example.com"; empty: unknown.
    """

    def __init__(self, vault: Vault, public_url: str) -> None:
        self._vault = vault
        self.public_url = public_url.rstrip("/")

    def callback_url(self, provider_id: str) -> str:
        """Return where a provider sends its reports; without scheme and host while they are unknown."""
        return f"{self.public_url}/callbacks/{provider_id}/{self._secrets(provider_id)[0]}"

    def is_callback(self, provider_id: str, secret: str) -> bool:
        """Tell, in constant time, whether a callback's URL is one of ours."""
        shown = secret.encode("utf-8", "surrogateescape")
        return any(hmac.compare_digest(shown, known.encode()) for known in self._secrets(provider_id))

    def unsubscribe_url(self, subscription: Subscription) -> str:
        """Return the link, the same for the same message; empty while the public address is unknown."""
        if not self.public_url:
            return ""
        ids = [subscription.tenant_id, subscription.event_id, subscription.delivery_id]
        payload = b"".join(uuid.UUID(one).bytes for one in ids) + subscription.address.encode()
        sealed = self._vault.encrypt_alike(payload, context=_CONTEXT)
        return f"{self.public_url}/unsubscribe/{_encoded(sealed)}"

    def read(self, token: str) -> Subscription:
        """Return what a link's last part stands for. Raises NOT_FOUND."""
        try:
            if len(token) > _MAX_TOKEN:
                raise ValueError("too long")
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            payload = self._vault.decrypt(sealed, context=_CONTEXT)
        except (ValueError, binascii.Error) as error:
            raise ClarionError(Code.NOT_FOUND, "This is not an unsubscribe link of ours.") from error
        tenant_id, event_id, delivery_id = (str(uuid.UUID(bytes=payload[at : at + 16])) for at in (0, 16, 32))
        return Subscription(tenant_id, event_id, delivery_id, payload[_IDS_BYTES:].decode())

    def _secrets(self, provider_id: str) -> list[str]:
        return [_encoded(tag[:_SECRET_BYTES]) for tag in self._vault.tags(f"callback/{provider_id}")]


def check_public_url(text: str) -> str:
    """Return the address. Raises ValueError where it is none that others could be sent to."""
    parts = urllib.parse.urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        raise ValueError("it must be of the form https://notify.example.com")
    return text


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
