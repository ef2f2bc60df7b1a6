"""What is encrypted of an endpoint: its secrets, its headers, its password. Pure."""

import base64
import binascii
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from runtime.encryption import Vault
from runtime.ids import new_id
from services.domain.endpoints import SECRET_PREFIX, Endpoint, auth_context, headers_context, secret_context

# The most that are valid at a time: the newest one, and earlier ones until their overlap ends.
MAX_VALID = 10
DEFAULT_OVERLAP_S, MAX_OVERLAP_S = 24 * 3600, 7 * 24 * 3600
# Bytes of a secret: of a new one, and those that are taken (the bounds of Standard Webhooks).
_NEW_BYTES = 32
_MIN_BYTES, _MAX_BYTES = 24, 64

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret to store. text: "whsec_…"."""

    id: str
    text: str
    ciphertext: bytes

    @property
    def last4(self) -> str:
        """Its last characters, by which people recognise it."""
        return self.text[-4:]


def wrong_secret(secret: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a secret that a caller chose; empty: they chose none."""
    if not secret:
        return
    try:
        raw = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not secret.startswith(SECRET_PREFIX) or not _MIN_BYTES <= len(raw) <= _MAX_BYTES:
        yield "secret", f'must be "{SECRET_PREFIX}" and the base64 of {_MIN_BYTES} to {_MAX_BYTES} bytes'


class EndpointSeal:
    """Encrypts what belongs to one endpoint; see services.domain.endpoints for how it is decrypted."""

    def __init__(self, vault: Vault, tenant_id: str, endpoint_id: str) -> None:
        self._vault = vault
        self._tenant_id = tenant_id
        self._endpoint_id = endpoint_id

    def secret(self, wanted: str = "") -> NewSecret:
        """Return a new secret: the wanted one, else a random one."""
        text = wanted or SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_NEW_BYTES)).decode()
        secret_id = new_id()
        return NewSecret(secret_id, text, self._vault.encrypt(text.encode(), context=self._context(secret_id)))

    def headers(self, headers: Mapping[str, str]) -> bytes:
        """Return headers in the form that is stored."""
        context = headers_context(self._tenant_id, self._endpoint_id)
        return self._vault.encrypt(_encode(dict(headers)), context=context) if headers else b""

    def auth(self, auth: str) -> bytes:
        """Return "user:password" in the form that is stored."""
        context = auth_context(self._tenant_id, self._endpoint_id)
        return self._vault.encrypt(auth.encode(), context=context) if auth else b""

    def open_secret(self, secret_id: str, ciphertext: bytes) -> str:
        """Return a stored secret. Raises ValueError if no key decrypts it."""
        return self._vault.decrypt(ciphertext, context=self._context(secret_id)).decode()

    def hidden(self, sealed_headers: bytes, sealed_auth: bytes) -> "HiddenParts":
        """Return what decrypts the stored headers and password."""
        sealed = Endpoint(
            id=self._endpoint_id, environment_id="", sealed_headers=sealed_headers, sealed_auth=sealed_auth
        )
        return HiddenParts(
            lambda: sealed.headers(self._vault, self._tenant_id), lambda: sealed.auth(self._vault, self._tenant_id)
        )

    def renewed_secret(self, secret_id: str, ciphertext: bytes) -> bytes | None:
        """Return a secret encrypted with the first key; None: it is already. Raises ValueError as open_secret does."""
        return self._vault.renewed(ciphertext, context=self._context(secret_id))

    def renewed_headers(self, sealed: bytes) -> bytes | None:
        """Return headers encrypted with the first key; None: they are already. Raises ValueError."""
        context = headers_context(self._tenant_id, self._endpoint_id)
        return self._vault.renewed(sealed, context=context) if sealed else None

    def renewed_auth(self, sealed: bytes) -> bytes | None:
        """Return "user:password" encrypted with the first key; None: it is already. Raises ValueError."""
        context = auth_context(self._tenant_id, self._endpoint_id)
        return self._vault.renewed(sealed, context=context) if sealed else None

    def _context(self, secret_id: str) -> str:
        return secret_context(self._tenant_id, self._endpoint_id, secret_id)


@dataclass(frozen=True, slots=True)
class HiddenParts:
    """services.router.endpoints.check.Hidden."""

    headers: Callable[[], dict[str, str]]
    auth: Callable[[], str]
