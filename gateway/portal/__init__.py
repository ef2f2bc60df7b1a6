"""The portal: pages on which a customer of a tenant manages the endpoints of one application. See docs/webhooks.md.

Its paths are in routes.py, which nothing imports here: dialects and the admin API need the links alone.
"""

from gateway.portal.links import DEFAULT_MINUTES, MAX_MINUTES, PortalLink, PortalLinks, Role

__all__ = ["DEFAULT_MINUTES", "MAX_MINUTES", "PortalLink", "PortalLinks", "Role"]
