"""Orqestra's API: triggers, realtime tokens and the inbox. See docs/orqestra.md."""

from gateway.dialects.orqestra.routes import add_routes

__all__ = ["add_routes"]
