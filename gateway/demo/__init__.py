"""The demo: an inbox with the official realtime client, and the messages in the sandbox."""

from gateway.demo.routes import add_routes

__all__ = ["add_routes"]
