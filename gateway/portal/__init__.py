"""The portal: pages on which a customer of a tenant manages the endpoints of one application. See docs/webhooks.md."""

from gateway.portal.links import DEFAULT_MINUTES, MAX_MINUTES, PortalLink, PortalLinks, PublicAddress, Role
from gateway.portal.routes import add_routes

__all__ = ["DEFAULT_MINUTES", "MAX_MINUTES", "PortalLink", "PortalLinks", "PublicAddress", "Role", "add_routes"]
