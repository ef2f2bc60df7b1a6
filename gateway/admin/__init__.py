"""The operator's API under /api/v1/admin. See docs/admin-api.md."""

from gateway.admin.routes import Parts, add_routes

__all__ = ["Parts", "add_routes"]
