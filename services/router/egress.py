"""What the router checks of the addresses of endpoints when they are written. See docs/egress.md."""

from runtime.egress import EgressGuard, EgressPolicy, Ports
from services.router.settings import Settings


def webhook_guard(settings: Settings) -> EgressGuard:
    """Return the guard that the settings describe. Raises ValueError naming the variable that is wrong."""
    try:
        policy = EgressPolicy(settings.egress_webhook_allow, settings.egress_deny)
    except ValueError as error:
        raise ValueError(f"CLARION_EGRESS_WEBHOOK_ALLOW, CLARION_EGRESS_DENY: {error}") from error
    ports = frozenset(settings.egress_webhook_ports)
    return EgressGuard(policy, Ports(ports, "CLARION_EGRESS_WEBHOOK_PORTS", "CLARION_EGRESS_WEBHOOK_ALLOW"))
