"""The guards of the connections that senders make: mail servers, and the APIs of providers. See docs/egress.md."""

from dataclasses import dataclass

from runtime.egress import Guard, Policy, Ports
from services.senders.settings import Settings


@dataclass(frozen=True, slots=True)
class Egress:
    """mail: of SMTP servers, which operators name for each provider. web: of providers' APIs."""

    mail: Guard
    web: Guard


def read(settings: Settings) -> Egress:
    """Make the guards of the settings. Raises ValueError: an entry of a list is wrong."""
    policy = Policy(settings.egress_allow, settings.egress_deny)
    return Egress(
        mail=Guard(policy, Ports(frozenset(settings.egress_smtp_ports), "CLARION_EGRESS_SMTP_PORTS")),
        web=Guard(policy, Ports(frozenset(settings.egress_http_ports), "CLARION_EGRESS_HTTP_PORTS")),
    )
