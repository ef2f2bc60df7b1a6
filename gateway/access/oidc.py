"""Signing in by an identity provider: OpenID Connect, the authorization code flow with PKCE.

What the provider says is believed only if it is signed by one of its keys, for us, for this browser's attempt (state,
nonce, PKCE verifier), and if it has verified the e-mail address.
"""

import asyncio
import base64
import hashlib
import secrets
import time
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import aiohttp
import jwt
import msgspec
from yarl import URL

from gateway.browser_sessions import is_safe_url
from gateway.settings import Settings
from runtime import logs
from runtime.errors import ClarionError, Code

# Asymmetric: nobody but the provider can sign.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_TIMEOUT = aiohttp.ClientTimeout(total=6.0)
_MAX_BYTES = 256 * 1024
# The provider's document and keys are read again after so long, seconds; for an unknown key at most this often.
_FRESH_S, _ROTATION_S = 3600.0, 10.0
_LEEWAY_S = 60
_MAX_AT_ONCE = 16

log = logs.get(__name__)


class Attempt(NamedTuple):
    """What ties a response to the browser that began: kept in its cookie."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> "Attempt":
        """Return a new attempt."""
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))


class Identity(NamedTuple):
    """Who the provider says that somebody is. email: verified by it."""

    issuer: str
    subject: str
    email: str
    name: str


class _Discovery(msgspec.Struct):
    """What we use of the provider's document (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    id_token_signing_alg_values_supported: list[str] = msgspec.field(default_factory=lambda: ["RS256"])
    authorization_response_iss_parameter_supported: bool = False
    token_endpoint_auth_methods_supported: list[str] = msgspec.field(default_factory=lambda: ["client_secret_basic"])


class OidcClient:
    """Asks one provider. Its methods raise ClarionError: UNAUTHENTICATED, FORBIDDEN, or UNAVAILABLE."""

    def __init__(self, settings: Settings) -> None:
        self._issuer = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret.reveal()
        self._domains = frozenset(domain.lower() for domain in settings.oidc_domains)
        self.default_role = settings.oidc_default_role
        self.name = settings.oidc_name or urlsplit(self._issuer).hostname or self._issuer
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(_MAX_AT_ONCE)
        self._reading = asyncio.Lock()
        self._document: tuple[float, _Discovery] | None = None
        self._keys: tuple[float, jwt.PyJWKSet] | None = None

    async def authorization_url(self, attempt: Attempt, redirect_uri: str) -> str:
        """Return where the browser has to go."""
        document = await self._discovered()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email profile",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        glue = "&" if "?" in document.authorization_endpoint else "?"
        return f"{document.authorization_endpoint}{glue}{urlencode(asked)}"

    async def identify(self, attempt: Attempt, code: str, redirect_uri: str, *, issuer: str = "") -> Identity:
        """Return who has signed in. issuer: as the response names it (RFC 9207); empty: it does not."""
        document = await self._discovered()
        if issuer != document.issuer and (issuer or document.authorization_response_iss_parameter_supported):
            raise _refused("the response is from another issuer")
        async with self._turns:
            tokens = await self._tokens(document, attempt, code, redirect_uri)
            claims = await self._claims(document, attempt, str(tokens.get("id_token", "")))
            if "email" not in claims and document.userinfo_endpoint:
                more = await self._ask(
                    "GET", document.userinfo_endpoint, Authorization=f"Bearer {tokens.get('access_token', '')}"
                )
                if more.get("sub") != claims["sub"]:
                    raise _refused("the user info is about somebody else")
                claims = {**more, **claims}
        return self._identity(document, claims)

    async def close(self, _app: object = None) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _identity(self, document: _Discovery, claims: dict[str, Any]) -> Identity:
        email, name = claims.get("email"), claims.get("name")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            raise ClarionError(Code.FORBIDDEN, "The identity provider has not verified your e-mail address.")
        if self._domains and email.rpartition("@")[2].lower() not in self._domains:
            raise ClarionError(Code.FORBIDDEN, "People with an e-mail address of this domain do not sign in here.")
        return Identity(document.issuer, str(claims["sub"]), email, name if isinstance(name, str) else "")

    async def _tokens(self, document: _Discovery, attempt: Attempt, code: str, redirect_uri: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": attempt.verifier,
        }
        headers = {}
        if "client_secret_basic" in document.token_endpoint_auth_methods_supported and self._secret:
            # RFC 6749, 2.3.1: both are form-encoded first.
            pair = ":".join(urlencode({"": part})[1:] for part in (self._client_id, self._secret))
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form |= {"client_id": self._client_id, **({"client_secret": self._secret} if self._secret else {})}
        return await self._ask("POST", document.token_endpoint, form=form, **headers)

    async def _claims(self, document: _Discovery, attempt: Attempt, id_token: str) -> dict[str, Any]:
        try:
            kid = jwt.get_unverified_header(id_token).get("kid")
            key = await self._key(document, kid)
            claims: dict[str, Any] = jwt.decode(
                id_token,
                key=key,
                algorithms=[one for one in _ALGORITHMS if one in document.id_token_signing_alg_values_supported],
                audience=self._client_id,
                issuer=document.issuer,
                leeway=_LEEWAY_S,
                options={"require": ["iss", "sub", "aud", "exp", "iat"]},
            )
        except jwt.PyJWTError as error:
            raise _refused(f"the ID token is not valid: {error}") from error
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), attempt.nonce.encode()):
            raise _refused("the ID token is of another attempt")
        if claims.get("azp", self._client_id) != self._client_id:
            raise _refused("the ID token was issued to another client")
        return claims

    async def _key(self, document: _Discovery, kid: str | None) -> jwt.PyJWK:
        for is_last in (False, True):
            keys = await self._read_keys(document, younger_than_s=_ROTATION_S if is_last else _FRESH_S)
            usable = [key for key in keys.keys if key.public_key_use in (None, "sig") and kid in (None, key.key_id)]
            if len(usable) == 1:
                return usable[0]
        raise _refused("the ID token is signed by a key that the provider does not have")

    async def _read_keys(self, document: _Discovery, *, younger_than_s: float) -> jwt.PyJWKSet:
        async with self._reading:
            now = time.monotonic()
            if self._keys is None or self._keys[0] + younger_than_s <= now:
                found = await self._ask("GET", document.jwks_uri)
                try:
                    self._keys = now, jwt.PyJWKSet.from_dict(found)
                except jwt.PyJWTError as error:
                    raise _away(document.jwks_uri, error) from error
            return self._keys[1]

    async def _discovered(self) -> _Discovery:
        async with self._reading:
            now = time.monotonic()
            if self._document is None or self._document[0] + _FRESH_S <= now:
                url = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
                try:
                    document = msgspec.convert(await self._ask("GET", url), _Discovery)
                    _check(document, self._issuer)
                except (msgspec.ValidationError, ValueError) as error:
                    raise _away(url, error) from error
                self._document = now, document
            return self._document[1]

    async def _ask(
        self, method: str, url: str, *, form: dict[str, str] | None = None, **headers: str
    ) -> dict[str, Any]:
        """Return the JSON object that the provider answers. Redirects are not followed."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())
        asking = self._session.request(
            method,
            URL(url, encoded=True),
            data=form,
            headers={"Accept": "application/json", **headers},
            allow_redirects=False,
        )
        try:
            async with asking as answer:
                raw = b""
                # read() returns what has arrived.
                while len(raw) < _MAX_BYTES and (part := await answer.content.read(_MAX_BYTES - len(raw))):
                    raw += part
                if form is not None and answer.status in (400, 401):
                    raise _refused(f"the token endpoint answered {answer.status}: {raw[:200]!r}")
                if answer.status != 200:
                    raise _away(url, answer.status)
                found = msgspec.json.decode(raw, type=dict[str, Any])
        except (aiohttp.ClientError, TimeoutError, ValueError, msgspec.DecodeError) as error:
            raise _away(url, error) from error
        return found


def _check(document: _Discovery, issuer: str) -> None:
    if document.issuer != issuer:
        raise ValueError(f"its issuer is {document.issuer!r}")
    for url in (document.authorization_endpoint, document.token_endpoint, document.jwks_uri):
        if not is_safe_url(url):
            raise ValueError(f"{url!r} is not https")
    if document.userinfo_endpoint and not is_safe_url(document.userinfo_endpoint):
        raise ValueError(f"{document.userinfo_endpoint!r} is not https")


def _refused(why: str) -> ClarionError:
    log.warning("oidc_refused", reason=why)
    return ClarionError(Code.UNAUTHENTICATED, "Signing in by the identity provider did not work. Try again.")


def _away(url: str, why: object) -> ClarionError:
    log.warning("oidc_provider_away", url=url, error=repr(why))
    return ClarionError(Code.UNAVAILABLE, "The identity provider does not answer as it should.", retry_after=5)
