"""Who may use the admin API: named tokens, and which of them a request shows."""

import hashlib
import hmac
import re

from runtime.errors import ClarionError, Code
from runtime.settings import Secret, SettingsError

# The name of the one token that is always there, CLARION_ADMIN_TOKEN.
ADMIN = "admin"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
# Shorter ones could be guessed.
_SHORTEST = 16


class Operators:
    """The admin tokens by name."""

    def __init__(self, token: Secret, named: Secret) -> None:
        tokens = {ADMIN: token.reveal().encode(), **_parse(named.reveal())}
        self._digests = {name: hashlib.sha256(token).digest() for name, token in tokens.items()}

    def identify(self, authorization: str) -> str:
        """Return the name of the token in an Authorization header. Raises UNAUTHENTICATED."""
        scheme, _, shown = authorization.partition(" ")
        digest = hashlib.sha256(shown.strip().encode("utf-8", "surrogateescape")).digest()
        # All of them every time, and all of one length: how long it takes says nothing about any token.
        found = [name for name, known in self._digests.items() if hmac.compare_digest(digest, known)]
        if scheme.lower() != "bearer" or not found:
            raise ClarionError(Code.UNAUTHENTICATED, "Send the header `Authorization: Bearer <admin token>`.")
        return found[0]


def check(named: Secret) -> None:
    """Raise SettingsError where CLARION_ADMIN_TOKENS is not name:token, separated by commas."""
    _parse(named.reveal())


def _parse(text: str) -> dict[str, bytes]:
    tokens: dict[str, bytes] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, token = part.partition(":")
        if not _NAME.fullmatch(name) or name == ADMIN or name in tokens or len(token) < _SHORTEST:
            raise SettingsError(
                "CLARION_ADMIN_TOKENS must be name:token, by commas; names in lower case, each once,"
                f" none of them {ADMIN}; tokens of at least {_SHORTEST} characters"
            )
        tokens[name] = token.encode()
    if len(set(tokens.values())) != len(tokens):
        raise SettingsError("CLARION_ADMIN_TOKENS must not hold one token twice")
    return tokens
