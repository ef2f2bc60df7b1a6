"""The operator's API under /api/v1/admin. See docs/admin-api.md."""

from gateway.admin.routes import AdminBackend, add_routes

__all__ = ["AdminBackend", "add_routes"]
