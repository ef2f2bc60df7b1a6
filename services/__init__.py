"""The five services and what they share: domain/ (the common vocabulary) and delivery/ (one attempt at a delivery)."""

from runtime.imports import hide_packages

# nats-py uses aiohttp only for connections over WebSocket, which Clarion does not make. Importing aiohttp is a third of
# a process's start-up time and 12 MB of its memory, so nats is imported here, first, without it.
with hide_packages("aiohttp"):
    import nats  # noqa: F401 - imported for the modules that import it later
