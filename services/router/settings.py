"""The router's settings, read from the environment."""

from typing import Annotated

import msgspec

from runtime.service import ProcessSettings
from runtime.settings import Secret, Servers

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """See runtime.service.ProcessSettings for the rest."""

    postgres_url: Secret
    nats_url: Secret
    ingest_address: Servers
    render_address: Servers
    senders_address: Servers
    # Makes the digests of suppressed addresses; at least 32 bytes. With another key no suppression is found.
    pseudonym_key: Secret
    # Comma-separated base64 of 32 bytes each, for what endpoints have of secrets; the first encrypts, all decrypt.
    encryption_keys: Secret
    # Which addresses endpoints may have, as for the senders. See docs/egress.md.
    egress_webhook_allow: tuple[str, ...] = ()
    egress_deny: tuple[str, ...] = ()
    egress_webhook_ports: tuple[Port, ...] = (80, 443, 8080, 8443)
