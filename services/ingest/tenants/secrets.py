"""Webhook secrets, with which tenants sign their events; encrypted at rest."""

import secrets
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from clarion.ingest.v1 import tenants_pb2
from runtime.clock import micros_of
from runtime.encryption import Vault
from runtime.ids import new_id

# The most that are valid at a time: the current one, and earlier ones until their overlap ends.
MAX_VALID = 4
DEFAULT_OVERLAP_S = 24 * 3600


class SealedSecret(msgspec.Struct, frozen=True):
    """An encrypted secret, as published. until_us: valid until then, Unix microseconds; 0: the current one."""

    id: str
    ciphertext: bytes
    until_us: int = 0

    def renewed(self, vault: Vault, tenant_id: str) -> bytes | None:
        """Return the ciphertext under the vault's first key; None: it has that key already. Raises as open()."""
        return vault.renewed(self.ciphertext, context=_context(tenant_id, self.id))

    def open(self, vault: Vault, tenant_id: str) -> str:
        """Return the secret. Raises ValueError if no key of the vault decrypts it."""
        return vault.decrypt(self.ciphertext, context=_context(tenant_id, self.id)).decode()


def make(vault: Vault, tenant_id: str, wanted: str) -> tuple[str, tuple[str, str, bytes, str]]:
    """Return a secret (the wanted one, else 64 random hex digits) and its row: id, tenant, ciphertext, last four."""
    secret = wanted or secrets.token_hex(32)
    secret_id = new_id()
    ciphertext = vault.encrypt(secret.encode(), context=_context(tenant_id, secret_id))
    return secret, (secret_id, tenant_id, ciphertext, secret[-4:])


def sealed(rows: Sequence[asyncpg.Record]) -> list[SealedSecret]:
    """Return rows in the form in which they are published."""
    return [SealedSecret(str(row["id"]), row["ciphertext"], _until_us(row)) for row in rows]


def shown(rows: Sequence[asyncpg.Record]) -> list[tenants_pb2.WebhookSecret]:
    """Return rows in the form that operators may see."""
    return [
        tenants_pb2.WebhookSecret(
            last4=row["last4"], created_at_us=micros_of(row["created_at"]), valid_until_us=_until_us(row)
        )
        for row in rows
    ]


def _until_us(row: Any) -> int:
    return micros_of(row["expires_at"]) if row["expires_at"] else 0


def _context(tenant_id: str, secret_id: str) -> str:
    return f"webhook-secret:{tenant_id}:{secret_id}"
