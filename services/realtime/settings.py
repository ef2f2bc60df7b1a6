"""What the realtime service reads from its environment."""

from typing import Annotated

import msgspec

from runtime.service import ProcessSettings
from runtime.settings import Secret, Servers, SettingsError
from services.delivery.retry import DEFAULT_DELAYS_S
from services.realtime.centrifugo import MIN_SECRET_BYTES
from services.realtime.tokens import LIFETIME_S, MAX_LIFETIME_S


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """See ProcessSettings for what all services read."""

    postgres_url: Secret
    nats_url: Secret
    # Of render and of ingest.
    render_address: Servers
    ingest_address: Servers
    # Of the realtime hub, http://host:port, reachable from here only.
    centrifugo_url: str
    centrifugo_api_key: Secret
    # The hub's client.token.hmac_secret_key; at least 32 bytes.
    centrifugo_token_secret: Secret
    # Names people at the hub; at least 32 bytes. A new one closes every open page's channels.
    principal_secret: Secret
    # Names people in what is kept after an erasure; at least 32 bytes. With another one revocations are forgotten.
    pseudonym_key: Secret
    # How long a browser's token lasts, seconds: a page asks for the next one before its end.
    token_lifetime_s: Annotated[int, msgspec.Meta(ge=2, le=MAX_LIFETIME_S)] = LIFETIME_S
    # How long the inbox keeps notifications where a tenant has no days of its own.
    inbox_keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90
    # Seconds before the second, third, … attempt.
    retry_delays_s: tuple[float, ...] = DEFAULT_DELAYS_S

    def __post_init__(self) -> None:
        """Raise SettingsError for a secret that is too short to be one."""
        for name in ("centrifugo_token_secret", "principal_secret"):
            if len(getattr(self, name).reveal().encode()) < MIN_SECRET_BYTES:
                raise SettingsError(f"CLARION_{name.upper()} must have at least {MIN_SECRET_BYTES} bytes")
