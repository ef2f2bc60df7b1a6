"""The inbox of one user for pages in any browser, and the web component that shows it. See inbox/README.md."""

from gateway.inbox.routes import INBOX, LIMIT, add_routes

__all__ = ["INBOX", "LIMIT", "add_routes"]
