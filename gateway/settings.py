"""The settings of the gateway. The field http_address is read from CLARION_HTTP_ADDRESS."""

from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from gateway import operators
from gateway.access.roles import BY_WORD
from gateway.addresses import Proxies
from gateway.browser_sessions import is_safe_url
from runtime.service import CommonSettings
from runtime.settings import Secret, Servers, SettingsError

# The default number of connections besides WebSockets.
_BESIDE_WEBSOCKETS = 6_384


class Settings(CommonSettings, frozen=True, kw_only=True):
    """Settings of the gateway; the README explains each."""

    # The address to listen on, host:port.
    http_address: str
    # The bearer token of operators for /api/v1/admin/*.
    admin_token: Secret
    # Further tokens with their names in the audit log: name:token, or name=role:token, separated by commas.
    admin_tokens: Secret = Secret("")
    # The addresses of the services.
    ingest_address: Servers
    router_address: Servers
    render_address: Servers
    senders_address: Servers
    realtime_address: Servers
    # The realtime hub, http://host:port.
    centrifugo_url: str
    # The public URL of the gateway, https://notify.example.com. Links to the portal and the console begin with it; if
    # it is empty, with the address by which their caller reached the gateway.
    public_url: str = ""
    # The tenant and user of the demo page. Empty: no demo page.
    demo_tenant_id: str = ""
    demo_user_id: str = "demo"
    # Browsers connected at a time. A tenth of it is available besides for those that have not authenticated.
    max_websockets: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    # Browsers per address, never more than half of all; 0: no limit.
    max_websockets_per_address: Annotated[int, msgspec.Meta(ge=0)] = 1000
    # Browsers per user.
    max_websockets_per_user: Annotated[int, msgspec.Meta(ge=1)] = 32
    # How long a browser may take to authenticate, in seconds.
    websocket_connect_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    # Open connections at a time, including WebSockets; 0: 6,384 more than max_websockets.
    max_connections: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    # Open connections per address, except trusted proxies; 0: no limit.
    max_connections_per_address: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 1024
    # Bytes of events that wait to be stored; past it: 503.
    max_waiting_bytes: int = 64 * 1024 * 1024
    # Failed authentications per address in any minute; past it: 429. 0: no limit.
    auth_failures_per_minute: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 100
    # Failed sign-ins to the console per address in any minute; past it: 429, also for the right password. 0: no limit.
    sign_in_failures_per_minute: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 10
    # An OpenID Connect provider by which people sign in to the console: its issuer; empty: there is none.
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: Secret = Secret("")
    # What the button says; empty: the issuer's host.
    oidc_name: str = ""
    # Only people with e-mail addresses of these domains; empty: of all.
    oidc_domains: tuple[str, ...] = ()
    # The role in the installation of people whom nobody has invited; empty: they may not sign in.
    oidc_default_role: str = ""
    # Addresses and networks of the proxies whose X-Forwarded-For is trusted.
    trusted_proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check values that depend on each other. Raises SettingsError."""
        operators.check(self.admin_tokens)
        self._check_oidc()
        parts = urlsplit(self.public_url)
        is_complete = parts.scheme in {"http", "https"} and parts.hostname and not (parts.query or parts.fragment)
        # The pages of the portal name each other from the root.
        if self.public_url and not (is_complete and parts.path in {"", "/"}):
            raise SettingsError("CLARION_PUBLIC_URL must be of the form https://notify.example.com, without a path")
        try:
            Proxies(self.trusted_proxies)
        except ValueError as error:
            raise SettingsError(f"CLARION_TRUSTED_PROXIES: {error}") from error
        if 0 < self.max_connections <= self.max_websockets:
            raise SettingsError(
                f"CLARION_MAX_CONNECTIONS must be larger than CLARION_MAX_WEBSOCKETS ({self.max_websockets}):"
                " each WebSocket is a connection"
            )

    def _check_oidc(self) -> None:
        """Check that whoever the provider does not know is not let in by a mistake. Raises SettingsError."""
        if not self.oidc_issuer:
            return
        if not is_safe_url(self.oidc_issuer):
            raise SettingsError("CLARION_OIDC_ISSUER must be an https URL")
        if not self.oidc_client_id:
            raise SettingsError("CLARION_OIDC_CLIENT_ID must be set together with CLARION_OIDC_ISSUER")
        if self.oidc_default_role and self.oidc_default_role not in BY_WORD:
            raise SettingsError(f"CLARION_OIDC_DEFAULT_ROLE must be one of {', '.join(BY_WORD)}, or empty")
        if self.oidc_default_role and not self.oidc_domains:
            raise SettingsError(
                "CLARION_OIDC_DEFAULT_ROLE needs CLARION_OIDC_DOMAINS: else everybody whom the provider knows gets in"
            )

    @property
    def connections(self) -> int:
        """The maximum number of connections."""
        return self.max_connections or self.max_websockets + _BESIDE_WEBSOCKETS
