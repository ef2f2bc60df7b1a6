"""The polling API: receivers without a public address read the events of an endpoint. See docs/webhooks.md."""

from gateway.polling.routes import DEFAULT_ITEMS, MAX_ITEMS, PATH, add_routes
from gateway.polling.shown import shown_page

__all__ = ["DEFAULT_ITEMS", "MAX_ITEMS", "PATH", "add_routes", "shown_page"]
