"""What the senders read from the environment."""

from typing import Annotated

import msgspec

from runtime.service import ProcessSettings
from runtime.settings import Secret, Servers
from services.delivery import retry

Slots = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """See runtime.settings: field postgres_url is read from CLARION_POSTGRES_URL."""

    postgres_url: Secret
    nats_url: Secret
    # Of the render service and of ingest (the ledger).
    render_address: Servers
    ingest_address: Servers
    # The router's, which keeps the suppressions.
    router_address: Servers
    # Comma-separated base64 of 32 bytes each; the first encrypts, all decrypt.
    encryption_keys: Secret
    # Names people in what is kept after an erasure; at least 32 bytes. With another one no suppression is found.
    pseudonym_key: Secret
    # Seconds before the second, third, … attempt; after the last one the delivery is a dead letter.
    retry_delays_s: tuple[float, ...] = retry.DEFAULT_DELAYS_S
    # How many attempts one provider of one tenant may have under way, in each process.
    email_slots: Slots = 64
    sms_slots: Slots = 256
    # How long the sandbox remembers.
    outbox_keep_hours: Annotated[int, msgspec.Meta(ge=1)] = 168
    # How long a provider's message id is known, and so how late its reports may come.
    sent_keep_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 14
    # Failures in a row after which a provider is left alone, and for how long at first, seconds.
    breaker_failures: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    breaker_rest_s: Annotated[float, msgspec.Meta(gt=0, le=300)] = 15.0
    # Where providers' APIs are, in place of their public addresses, for all tenants: "twilio=http://127.0.0.1:8080".
    provider_urls: tuple[str, ...] = ()
    # What may be connected to beside public addresses, "10.1.0.0/16:25", and what may not though it is public; on which
    # ports. See docs/egress.md.
    egress_allow: tuple[str, ...] = ()
    egress_deny: tuple[str, ...] = ()
    egress_smtp_ports: tuple[Port, ...] = (25, 465, 587, 2465, 2525, 2587)
    egress_http_ports: tuple[Port, ...] = (80, 443)
    # The proxy for all calls of providers' APIs, "http://user:password@proxy:3128"; empty: none.
    egress_proxy: Secret = Secret("")
    # Where the world reaches the gateway: "https://notify.example.com". Without it no mail offers to unsubscribe.
    public_url: str = ""
