"""Serves the console, the Admin UI, at /console. See README.md here."""

from gateway.console.routes import add_routes

__all__ = ["add_routes"]
