"""The guards of the senders' connections: to mail servers, providers' APIs and endpoints. See docs/egress.md."""

import urllib.parse
from dataclasses import dataclass

from runtime.egress import EgressGuard, EgressPolicy, Ports
from services.senders.settings import Settings

_WEBHOOK_ALLOW = "CLARION_EGRESS_WEBHOOK_ALLOW"


@dataclass(frozen=True, slots=True)
class Egress:
    """mail: guards connections to SMTP servers. web: guards calls of providers' APIs. webhooks: guards calls of
    endpoints. proxy: for the calls of both; empty: none.
    """

    mail: EgressGuard
    web: EgressGuard
    webhooks: EgressGuard
    proxy: str


def read(settings: Settings) -> Egress:
    """Return the guards that the settings describe. Raises ValueError naming the variable that is wrong."""
    deny = settings.egress_deny
    policy = _policy("CLARION_EGRESS_ALLOW", settings.egress_allow, deny)
    of_webhooks = _policy(_WEBHOOK_ALLOW, settings.egress_webhook_allow, deny)
    webhook_ports = Ports(frozenset(settings.egress_webhook_ports), "CLARION_EGRESS_WEBHOOK_PORTS", _WEBHOOK_ALLOW)
    return Egress(
        mail=EgressGuard(policy, Ports(frozenset(settings.egress_smtp_ports), "CLARION_EGRESS_SMTP_PORTS")),
        web=EgressGuard(policy, Ports(frozenset(settings.egress_http_ports), "CLARION_EGRESS_HTTP_PORTS")),
        webhooks=EgressGuard(of_webhooks, webhook_ports),
        proxy=_proxy(settings.egress_proxy.reveal()),
    )


def _policy(setting: str, allow: tuple[str, ...], deny: tuple[str, ...]) -> EgressPolicy:
    try:
        return EgressPolicy(allow, deny)
    except ValueError as error:
        raise ValueError(f"{setting}, CLARION_EGRESS_DENY: {error}") from error


def _proxy(url: str) -> str:
    """Check the proxy's URL. The error does not contain it, because it may hold a password."""
    try:
        parts = urllib.parse.urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and parts.path in {"", "/"}
    except ValueError:
        known = False
    if url and not known:
        raise ValueError("CLARION_EGRESS_PROXY is not of the form http://proxy:3128 or http://user:password@proxy:3128")
    return url
