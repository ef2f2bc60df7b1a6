"""The named tokens of operators, who may use the admin API."""

import hashlib
import hmac
import re

from gateway.access.roles import BY_WORD, Role
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
        tokens = {ADMIN: (Role.OWNER, token.reveal().encode()), **_parse(named.reveal())}
        self._digests = {name: hashlib.sha256(token).digest() for name, (_, token) in tokens.items()}
        self._roles = {name: role for name, (role, _) in tokens.items()}

    def identify(self, authorization: str) -> str:
        """Return the name of the token in an Authorization header. Raises UNAUTHENTICATED."""
        scheme, _, shown = authorization.partition(" ")
        digest = hashlib.sha256(shown.strip().encode("utf-8", "surrogateescape")).digest()
        # All digests are compared each time, so that the duration reveals nothing about a token.
        found = [name for name, known in self._digests.items() if hmac.compare_digest(digest, known)]
        if scheme.lower() != "bearer" or not found:
            raise ClarionError(Code.UNAUTHENTICATED, "Send the header `Authorization: Bearer <admin token>`.")
        return found[0]

    def role_of(self, name: str) -> Role:
        """Return the role that a token has in the whole installation."""
        return self._roles[name]


def check(named: Secret) -> None:
    """Raise SettingsError if CLARION_ADMIN_TOKENS is no list of name:token and name=role:token, by commas."""
    _parse(named.reveal())


def _parse(text: str) -> dict[str, tuple[Role, bytes]]:
    tokens: dict[str, tuple[Role, bytes]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        label, _, token = part.partition(":")
        name, has_role, word = label.partition("=")
        role = BY_WORD.get(word) if has_role else Role.OWNER
        if not _NAME.fullmatch(name) or name == ADMIN or name in tokens or role is None or len(token) < _SHORTEST:
            raise SettingsError(
                "CLARION_ADMIN_TOKENS must be a list of name:token or name=role:token, separated by commas. Names are"
                f" in lower case, each different and none `{ADMIN}`; roles are {', '.join(BY_WORD)}; tokens have at"
                f" least {_SHORTEST} characters"
            )
        tokens[name] = role, token.encode()
    if len({token for _, token in tokens.values()}) != len(tokens):
        raise SettingsError("CLARION_ADMIN_TOKENS must not contain a token twice")
    return tokens
