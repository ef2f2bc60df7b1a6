"""URLs that only Clarion can make: of each provider's callbacks, and of unsubscribe links."""

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
    """What an unsubscribe link ends. address: the one that the message was sent to."""

    tenant_id: str
    event_id: str
    delivery_id: str
    address: str


class Links:
    """Makes and reads links with the encryption keys. Nothing is stored; a link works as long as its key is configured.

    public_url: the gateway's public URL, "https://notify.example.com"; empty: unknown.
    """

    def __init__(self, vault: Vault, public_url: str) -> None:
        self._vault = vault
        self.public_url = public_url.rstrip("/")

    def callback_url(self, provider_id: str) -> str:
        """Return the URL of a provider's reports; only its path where public_url is unknown."""
        return f"{self.public_url}/callbacks/{provider_id}/{self._secrets(provider_id)[0]}"

    def is_callback(self, provider_id: str, secret: str) -> bool:
        """Return, in constant time, whether the secret of a callback URL is valid."""
        shown = secret.encode("utf-8", "surrogateescape")
        return any(hmac.compare_digest(shown, known.encode()) for known in self._secrets(provider_id))

    def unsubscribe_url(self, subscription: Subscription) -> str:
        """Return the link, which is the same for the same message; empty: public_url is unknown."""
        if not self.public_url:
            return ""
        ids = [subscription.tenant_id, subscription.event_id, subscription.delivery_id]
        payload = b"".join(uuid.UUID(one).bytes for one in ids) + subscription.address.encode()
        sealed = self._vault.encrypt_alike(payload, context=_CONTEXT)
        return f"{self.public_url}/unsubscribe/{_encoded(sealed)}"

    def read(self, token: str) -> Subscription:
        """Return the subscription of a link's token. Raises NOT_FOUND."""
        try:
            if len(token) > _MAX_TOKEN:
                raise ValueError("too long")
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            payload = self._vault.decrypt(sealed, context=_CONTEXT)
        except (ValueError, binascii.Error) as error:
            raise ClarionError(Code.NOT_FOUND, "The unsubscribe link is not valid.") from error
        tenant_id, event_id, delivery_id = (str(uuid.UUID(bytes=payload[at : at + 16])) for at in (0, 16, 32))
        return Subscription(tenant_id, event_id, delivery_id, payload[_IDS_BYTES:].decode())

    def _secrets(self, provider_id: str) -> list[str]:
        return [_encoded(tag[:_SECRET_BYTES]) for tag in self._vault.tags(f"callback/{provider_id}")]


def check_public_url(text: str) -> str:
    """Return the URL. Raises ValueError if it cannot be a public one."""
    parts = urllib.parse.urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        raise ValueError("it must be of the form https://notify.example.com")
    return text


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
