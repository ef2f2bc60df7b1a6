"""Signs messages by Standard Webhooks (https://www.standardwebhooks.com, version 1.0.0). Pure."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from services.domain.endpoints import SECRET_PREFIX

# The names of the headers, as they are sent.
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def key_of(secret: str) -> bytes:
    """Return the key of a secret, "whsec_" and base64. Raises ValueError, which does not contain the secret."""
    if not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"a secret begins with {SECRET_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError(f"after {SECRET_PREFIX} stands base64")
    return key


def message_id(delivery_id: str) -> str:
    """Return the webhook-id of a delivery: the same for all of its attempts and replays."""
    return f"msg_{delivery_id.replace('-', '')}"


def signatures(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of webhook-signature: one "v1,…" for each key, in their order. timestamp: Unix seconds."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(
        f"v1,{binascii.b2a_base64(hmac.digest(key, signed, hashlib.sha256), newline=False).decode()}" for key in keys
    )
