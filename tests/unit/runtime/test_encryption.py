"""Secrets at rest."""

import base64
import os

import pytest

from runtime.encryption import Vault


def _key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def test_round_trip_is_bound_to_its_context() -> None:
    """A ciphertext is decrypted with its own context only."""
    vault = Vault(_key())
    sealed = vault.encrypt(b"secret", context="a")
    assert b"secret" not in sealed
    assert vault.decrypt(sealed, context="a") == b"secret"
    with pytest.raises(ValueError, match="no encryption key"):
        vault.decrypt(sealed, context="b")


def test_rotation() -> None:
    """The first key encrypts, an older one still decrypts, a removed one does not."""
    old, new = _key(), _key()
    sealed = Vault(old).encrypt(b"secret", context="a")
    assert Vault(new, old).decrypt(sealed, context="a") == b"secret"
    with pytest.raises(ValueError, match="no encryption key"):
        Vault(new).decrypt(sealed, context="a")


@pytest.mark.parametrize("key", ["", "short", "not base64!", base64.b64encode(b"16 bytes of key.").decode()])
def test_a_key_is_32_bytes(key: str) -> None:
    """Any other length is refused at the start."""
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(key)
