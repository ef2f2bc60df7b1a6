"""The ledger's claims in memory."""

from collections.abc import Sequence

from clarion.common.v1 import trace_pb2
from services.ingest.claims.store import Answer, Claim


class MemoryClaims:
    """Stands for services.ingest.claims.store.ClaimStore. known: by delivery, its status and the newest replay."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[int, int]] = {}
        self.holders: dict[tuple[str, int], str] = {}

    async def claim(self, claims: Sequence[Claim]) -> list[Answer]:
        """Claim what is not decided."""
        return [self._claim(*claim) for claim in claims]

    def _claim(self, delivery_id: str, replay: int, token: str) -> Answer:
        status, newest = self.known.get(delivery_id, (0, 0))
        if newest != replay:
            later = newest > replay
            status = trace_pb2.DELIVERY_STATUS_DEAD if later else trace_pb2.DELIVERY_STATUS_UNSPECIFIED
        if not token or status > trace_pb2.DELIVERY_STATUS_QUEUED:
            return Answer(status)
        return Answer(status, self.holders.setdefault((delivery_id, replay), token) != token)
