"""The named tokens of operators, who may use the admin API."""

import hashlib
import hmac
import re

from runtime.errors import ClarionError, Code
from runtime.settings import Secret, SettingsError

# The name of CLARION_ADMIN_TOKEN, which always exists.
ADMIN = "admin"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
# Shorter tokens could be guessed.
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
        # All digests are compared each time, so that the duration reveals nothing about a token.
        found = [name for name, known in self._digests.items() if hmac.compare_digest(digest, known)]
        if scheme.lower() != "bearer" or not found:
            raise ClarionError(Code.UNAUTHENTICATED, "Send the header `Authorization: Bearer <admin token>`.")
        return found[0]


def check(named: Secret) -> None:
    """Raise SettingsError if CLARION_ADMIN_TOKENS is not a list of name:token, separated by commas."""
    _parse(named.reveal())


def _parse(text: str) -> dict[str, bytes]:
    tokens: dict[str, bytes] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, token = part.partition(":")
        if not _NAME.fullmatch(name) or name == ADMIN or name in tokens or len(token) < _SHORTEST:
            raise SettingsError(
                "CLARION_ADMIN_TOKENS must be a list of name:token, separated by commas. Names are in lower case,"
                f" each different and none `{ADMIN}`; tokens have at least {_SHORTEST} characters"
            )
        tokens[name] = token.encode()
    if len(set(tokens.values())) != len(tokens):
        raise SettingsError("CLARION_ADMIN_TOKENS must not contain a token twice")
    return tokens
