"""The five services, and what they share: domain/ (what all agree on) and delivery/ (one attempt's way)."""

from runtime.lean import without

# For WebSockets to NATS, which no service speaks: a third of a process's start.
with without("aiohttp"):
    import nats  # noqa: F401 - so that it is imported here first
