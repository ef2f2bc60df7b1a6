"""What the gateway reads from its environment; the field http_address is CLARION_HTTP_ADDRESS."""

from typing import Annotated

import msgspec

from gateway import operators
from gateway.addresses import Proxies
from runtime.service import CommonSettings
from runtime.settings import Secret, Servers, SettingsError

# Connections that are no WebSockets, where no number is set.
_BESIDE_WEBSOCKETS = 6_384


class Settings(CommonSettings, frozen=True, kw_only=True):
    """See the README for what each is for."""

    # Where to listen, host:port.
    http_address: str
    # What an operator shows as bearer token on /api/v1/admin/*.
    admin_token: Secret
    # Further ones, each with the name that the audit log knows it by: name:token, by commas.
    admin_tokens: Secret = Secret("")
    # Of the services.
    ingest_address: Servers
    router_address: Servers
    render_address: Servers
    senders_address: Servers
    realtime_address: Servers
    # The realtime hub, http://host:port.
    centrifugo_url: str
    # Whose inbox the demo page shows; empty: there is no demo page.
    demo_tenant_id: str = ""
    demo_user_id: str = "demo"
    # Browsers connected at a time; those that have not authenticated have a tenth of it besides.
    max_websockets: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    # Of them, of one address, and never more than half; 0: no limit.
    max_websockets_per_address: Annotated[int, msgspec.Meta(ge=0)] = 1000
    # Of them, of one user.
    max_websockets_per_user: Annotated[int, msgspec.Meta(ge=1)] = 32
    # How long a browser may take to authenticate, seconds.
    websocket_connect_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    # Open connections at a time, WebSockets among them; 0: 6,384 more than max_websockets.
    max_connections: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    # Of one address, unless it is a trusted proxy's; 0: no limit.
    max_connections_per_address: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 1024
    # Bytes of accepted but unanswered events at a time; past it: 503.
    max_waiting_bytes: int = 64 * 1024 * 1024
    # How often one address may fail to show who it is, in any minute; past it: 429. 0: no limit.
    auth_failures_per_minute: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 100
    # Addresses and networks of the proxies in front, whose X-Forwarded-For is believed.
    trusted_proxies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what could not be used. Raises SettingsError."""
        operators.check(self.admin_tokens)
        try:
            Proxies(self.trusted_proxies)
        except ValueError as error:
            raise SettingsError(f"CLARION_TRUSTED_PROXIES: {error}") from error
        if 0 < self.max_connections <= self.max_websockets:
            raise SettingsError(
                f"CLARION_MAX_CONNECTIONS must be above CLARION_MAX_WEBSOCKETS, {self.max_websockets}: each is a"
                " connection, too"
            )

    @property
    def connections(self) -> int:
        """How many connections there may be."""
        return self.max_connections or self.max_websockets + _BESIDE_WEBSOCKETS
