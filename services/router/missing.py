"""Stands where the ledger cannot be asked yet how many deliveries of an event are open: no page waits for them."""


class NoProgress:
    """Implements runs.ports.Progress."""

    async def obstacle(self, event_id: str, published: int) -> str:  # noqa: ARG002 - the port's
        """Return none."""
        return ""
