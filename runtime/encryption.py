"""Encryption of secrets at rest: AES-256-GCM with a key from the environment, bound to the secret's owner."""

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_VERSION = b"\x01"


class Vault:
    """Encrypts small secrets. keys: base64 of 32 bytes each; the first encrypts, all decrypt (rotation)."""

    def __init__(self, *keys: str) -> None:
        raw = [_decode(key) for key in keys]
        if not raw:
            raise ValueError("an encryption key is needed")
        self._ciphers = [AESGCM(key) for key in raw]
        # For signatures: a key must not be used for two purposes, so a second one is derived.
        self._signers = [hmac.digest(key, b"clarion/signing", hashlib.sha256) for key in raw]

    def encrypt(self, secret: bytes, *, context: str) -> bytes:
        """Return the ciphertext. It can be decrypted only with the same context, such as the row's id."""
        return self._sealed(os.urandom(_NONCE_BYTES), secret, context)

    def encrypt_alike(self, secret: bytes, *, context: str) -> bytes:
        """Encrypt deterministically: equal input gives equal ciphertext. decrypt() opens it."""
        nonce = hmac.digest(self._signers[0], f"{context}/".encode() + secret, hashlib.sha256)[:_NONCE_BYTES]
        return self._sealed(nonce, secret, context)

    def tags(self, text: str) -> list[bytes]:
        """Return each key's signature of text, 32 bytes, the current key's first. Compare with hmac.compare_digest."""
        return [hmac.digest(signer, text.encode(), hashlib.sha256) for signer in self._signers]

    def decrypt(self, ciphertext: bytes, *, context: str) -> bytes:
        """Return the secret. Raises ValueError for another context, an unknown key, or a text that is no ciphertext."""
        if ciphertext[:1] != _VERSION:
            raise ValueError("this is not a ciphertext of this program")
        for cipher in self._ciphers:
            try:
                return self._opened(cipher, ciphertext, context)
            except InvalidTag:
                continue
        raise ValueError("no encryption key opens this secret")

    def renewed(self, ciphertext: bytes, *, context: str) -> bytes | None:
        """Return the secret encrypted with the first key; None: it already is. Raises ValueError as decrypt does."""
        try:
            self._opened(self._ciphers[0], ciphertext, context)
        except InvalidTag:
            return self.encrypt(self.decrypt(ciphertext, context=context), context=context)
        return None

    @staticmethod
    def _opened(cipher: AESGCM, ciphertext: bytes, context: str) -> bytes:
        nonce, body = ciphertext[1 : 1 + _NONCE_BYTES], ciphertext[1 + _NONCE_BYTES :]
        return cipher.decrypt(nonce, body, context.encode())

    def _sealed(self, nonce: bytes, secret: bytes, context: str) -> bytes:
        return _VERSION + nonce + self._ciphers[0].encrypt(nonce, secret, context.encode())


def _decode(key: str) -> bytes:
    try:
        raw = base64.b64decode(key, validate=True)
    except binascii.Error as error:
        raise ValueError("an encryption key is base64 of 32 bytes") from error
    if len(raw) != 32:
        raise ValueError("an encryption key is base64 of 32 bytes")
    return raw
