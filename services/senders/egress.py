"""The guards of the connections that senders make: mail servers, and the APIs of providers. See docs/egress.md."""

import urllib.parse
from dataclasses import dataclass

from runtime.egress import EgressGuard, EgressPolicy, Ports
from services.senders.settings import Settings


@dataclass(frozen=True, slots=True)
class Egress:
    """mail: of SMTP servers, which operators name in providers. web: of providers' APIs. proxy: for these, or empty."""

    mail: EgressGuard
    web: EgressGuard
    proxy: str


def read(settings: Settings) -> Egress:
    """Make the guards of the settings. Raises ValueError naming the variable that is wrong."""
    try:
        policy = EgressPolicy(settings.egress_allow, settings.egress_deny)
    except ValueError as error:
        raise ValueError(f"CLARION_EGRESS_ALLOW, CLARION_EGRESS_DENY: {error}") from error
    return Egress(
        mail=EgressGuard(policy, Ports(frozenset(settings.egress_smtp_ports), "CLARION_EGRESS_SMTP_PORTS")),
        web=EgressGuard(policy, Ports(frozenset(settings.egress_http_ports), "CLARION_EGRESS_HTTP_PORTS")),
        proxy=_proxy(settings.egress_proxy.reveal()),
    )


def _proxy(url: str) -> str:
    """Check the proxy's URL; the error does not hold it, for a password may stand in it."""
    try:
        parts = urllib.parse.urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and parts.path in {"", "/"}
    except ValueError:
        known = False
    if url and not known:
        raise ValueError("CLARION_EGRESS_PROXY is not of the form http://proxy:3128 or http://user:password@proxy:3128")
    return url
