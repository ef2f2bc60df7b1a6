"""The settings of the realtime service."""

from typing import Annotated

import msgspec

from runtime.service import ProcessSettings
from runtime.settings import Secret, Servers, SettingsError
from services.realtime.centrifugo import MIN_SECRET_BYTES
from services.realtime.tokens import LIFETIME_S, MAX_LIFETIME_S


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """In addition to ProcessSettings, which all services have."""

    postgres_url: Secret
    nats_url: Secret
    # Addresses of the render and ingest services.
    render_address: Servers
    ingest_address: Servers
    # The realtime hub's API, http://host:port. Only services should be able to reach it.
    centrifugo_url: str
    centrifugo_api_key: Secret
    # The hub's client.token.hmac_secret_key; at least 32 bytes.
    centrifugo_token_secret: Secret
    # The key of principals; at least 32 bytes. A new one closes the channels of every open page.
    principal_secret: Secret
    # The key of digests that stand for people; at least 32 bytes. With another one, revocations are lost.
    pseudonym_key: Secret
    # How long a browser's token is valid, in seconds. A page requests the next one before it expires.
    token_lifetime_s: Annotated[int, msgspec.Meta(ge=2, le=MAX_LIFETIME_S)] = LIFETIME_S
    # How many days the inbox keeps notifications of tenants without their own retention.
    inbox_keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90
    # Seconds before the second, third and further attempts. Empty: as the channel's retry policy says.
    retry_delays_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Raise SettingsError for a secret that is too short."""
        for name in ("centrifugo_token_secret", "principal_secret"):
            if len(getattr(self, name).reveal().encode()) < MIN_SECRET_BYTES:
                raise SettingsError(f"CLARION_{name.upper()} must have at least {MIN_SECRET_BYTES} bytes")
