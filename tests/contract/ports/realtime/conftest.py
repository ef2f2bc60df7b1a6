"""The real hub, as the realtime service's own tests start it."""

from tests.integration.realtime.conftest import create_hub, engine, hub

__all__ = ["create_hub", "engine", "hub"]
