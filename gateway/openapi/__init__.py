"""The description of every public route, made of the types that take the requests. See README.md here."""

from gateway.openapi.routes import add_routes

__all__ = ["add_routes"]
