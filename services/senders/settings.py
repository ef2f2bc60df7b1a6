"""What the senders read from the environment."""

from typing import Annotated

import msgspec

from runtime.service import ProcessSettings
from runtime.settings import Secret, Servers

Slots = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """See runtime.settings: field postgres_url is read from CLARION_POSTGRES_URL."""

    postgres_url: Secret
    nats_url: Secret
    # The render service, and ingest (the ledger).
    render_address: Servers
    ingest_address: Servers
    # The router, which owns the suppressions.
    router_address: Servers
    # Comma-separated base64 of 32 bytes each; the first encrypts, all decrypt.
    encryption_keys: Secret
    # Makes the pseudonyms of recipients; at least 32 bytes. Another key finds none of the stored suppressions.
    pseudonym_key: Secret
    # Seconds before the second, third, … attempt; after the last one the delivery is a dead letter. Empty: as each
    # channel's retry policy says.
    retry_delays_s: tuple[float, ...] = ()
    # The most attempts under way at one provider of one tenant, in each process.
    email_slots: Slots = 64
    sms_slots: Slots = 256
    # How long the sandbox keeps messages.
    outbox_keep_hours: Annotated[int, msgspec.Meta(ge=1)] = 168
    # Whether what is sent is stored with the attempt, and for how many days where a tenant has no days of its own: as
    # long as ingest stores what events carried.
    keep_content: bool = True
    payloads_keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 30
    # How long a provider's message id is kept, and so how late its reports may arrive.
    sent_keep_days: Annotated[int, msgspec.Meta(ge=1, le=365)] = 14
    # Failures in a row after which a provider is paused, and the first pause, seconds.
    breaker_failures: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    breaker_rest_s: Annotated[float, msgspec.Meta(gt=0, le=300)] = 15.0
    # How long one call of an endpoint may take, from the lookup of its name to the last byte of its answer, seconds.
    webhook_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    # The most calls under way at one endpoint, of one tenant, and in all, in each process.
    webhook_slots: Slots = 64
    webhook_tenant_calls: Slots = 256
    webhook_calls: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 768
    # The circuit breaker of an endpoint: the failures in a row that open it, the first and the longest pause between
    # probes, and after how long with nothing but failures the endpoint is disabled; seconds.
    webhook_breaker_failures: Annotated[int, msgspec.Meta(ge=3, le=1000)] = 5
    webhook_probe_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 5.0
    webhook_longest_probe_s: Annotated[float, msgspec.Meta(gt=0, le=86400)] = 300.0
    webhook_disable_after_s: Annotated[float, msgspec.Meta(gt=0)] = 5 * 86_400.0
    # The most deliveries a second that are sent from one endpoint's rows.
    webhook_drain_per_s: Annotated[float, msgspec.Meta(ge=1, le=10_000)] = 200.0
    # How long deliveries wait for an endpoint that is disabled or polled, days.
    webhook_keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 30
    # Multiplies these times and those of webhooks' retries; for checks, which run three days in minutes.
    webhook_time_scale: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    # URLs of providers' APIs in place of their public ones, for all tenants: "twilio=http://127.0.0.1:8080".
    provider_urls: tuple[str, ...] = ()
    # Addresses to which connections are allowed beside public ones ("10.1.0.0/16:25"), public ones to which they are
    # denied, and the allowed ports. See docs/egress.md.
    egress_allow: tuple[str, ...] = ()
    egress_deny: tuple[str, ...] = ()
    egress_smtp_ports: tuple[Port, ...] = (25, 465, 587, 2465, 2525, 2587)
    egress_http_ports: tuple[Port, ...] = (80, 443)
    # The same for endpoints, whose addresses tenants choose: what a mail relay needs is not allowed for them.
    egress_webhook_allow: tuple[str, ...] = ()
    egress_webhook_ports: tuple[Port, ...] = (80, 443, 8080, 8443)
    # The proxy for all calls of providers' APIs and of endpoints, "http://user:password@proxy:3128"; empty: none.
    egress_proxy: Secret = Secret("")
    # The gateway's public URL: "https://notify.example.com". Without it mail has no unsubscribe link.
    public_url: str = ""
