"""Issues and verifies connection tokens for the hub: HS256, valid for two hours by default.

``sub`` is the principal: the hub allows the channels that end in it. ``namespaces`` lists the namespaces of these
channels: the gateway allows no others. The hub ignores this claim.
"""

from collections.abc import Sequence

import jwt

from runtime.clock import Clock, now_us
from runtime.errors import ClarionError, Code

LIFETIME_S = 2 * 3600
MAX_LIFETIME_S = 86_400

_ALGORITHM = "HS256"


class Tokens:
    """Signs and verifies tokens. secret: the hub's client.token.hmac_secret_key."""

    def __init__(self, secret: str, *, lifetime_s: int = LIFETIME_S, now: Clock = now_us) -> None:
        self._secret = secret.encode()
        self._lifetime_s = lifetime_s
        self._now = now

    def issue(self, principal: str, namespaces: Sequence[str] | None = None) -> str:
        """Return a token for the principal and these namespaces. None: a token without the claim, for any channel.

        There is no claim ``channels``: it would not restrict anything. It would make the hub subscribe by itself, and
        the page's own subscription would be refused as a second one.
        """
        issued = self._now() // 1_000_000
        claims: dict[str, object] = {"sub": principal, "iat": issued, "exp": issued + self._lifetime_s}
        if namespaces is not None:
            claims["namespaces"] = list(namespaces)
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def principal(self, token: str) -> str:
        """Return the principal in the token.

        Raises UNAUTHENTICATED, without saying why, if the token is malformed, expired or not signed with our secret.
        """
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                options={"require": ["sub", "exp"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise refused() from error
        expires = claims["exp"]
        if not isinstance(expires, int) or expires * 1_000_000 <= self._now():
            raise refused()
        return str(claims["sub"])


def refused() -> ClarionError:
    """Return the error for every invalid token."""
    return ClarionError(Code.UNAUTHENTICATED, "The realtime token is not valid.")
