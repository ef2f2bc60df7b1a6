"""The demo: a page with the official realtime client, and what the sandbox would have sent."""

from gateway.demo.routes import add_routes

__all__ = ["add_routes"]
