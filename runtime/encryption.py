"""Secrets at rest: AES-256-GCM with a key from the environment, bound to what they belong to."""

import base64
import binascii
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_VERSION = b"\x01"


class Vault:
    """Encrypts small secrets. keys: base64 of 32 bytes each; the first encrypts, all decrypt (rotation)."""

    def __init__(self, *keys: str) -> None:
        self._ciphers = [AESGCM(_decode(key)) for key in keys]
        if not self._ciphers:
            raise ValueError("an encryption key is needed")

    def encrypt(self, secret: bytes, *, context: str) -> bytes:
        """Return the ciphertext; it opens only with the same context (such as the row's id)."""
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._ciphers[0].encrypt(nonce, secret, context.encode())

    def decrypt(self, ciphertext: bytes, *, context: str) -> bytes:
        """Return the secret. Raises ValueError where no key or another context made this ciphertext."""
        nonce, body = ciphertext[1 : 1 + _NONCE_BYTES], ciphertext[1 + _NONCE_BYTES :]
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(nonce, body, context.encode())
            except InvalidTag:
                continue
        raise ValueError("no encryption key opens this secret")


def _decode(key: str) -> bytes:
    try:
        raw = base64.b64decode(key, validate=True)
    except binascii.Error as error:
        raise ValueError("an encryption key is base64 of 32 bytes") from error
    if len(raw) != 32:
        raise ValueError("an encryption key is base64 of 32 bytes")
    return raw
