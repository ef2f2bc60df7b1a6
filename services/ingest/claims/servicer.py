"""ClaimService: wire to store."""

from typing import Any

from nats.aio.client import Client

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import claims_pb2, claims_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.ingest.claims.store import Claim, ClaimStore
from services.ingest.database import database_errors
from services.ingest.ledger.progress import TraceProgress

NAME = "clarion.ingest.v1.ClaimService"

_MAX_CLAIMS = 500
_MAX_TOKEN = 64
_MAX_REPLAY = 32_767


class ClaimServicer(claims_pb2_grpc.ClaimServiceServicer):
    """See proto/clarion/ingest/v1/claims.proto."""

    def __init__(self, store: ClaimStore, connection: Client) -> None:
        self._store = store
        self._progress = TraceProgress(connection)

    @database_errors
    async def ClaimDeliveries(
        self, request: claims_pb2.ClaimDeliveriesRequest, context: Any
    ) -> claims_pb2.ClaimDeliveriesResponse:
        """Claim deliveries, after the ledger has read everything that was on TRACE."""
        if len(request.claims) > _MAX_CLAIMS:
            raise ClarionError(Code.INVALID, f"At most {_MAX_CLAIMS} claims at a time.")
        claims = [Claim(one.delivery_id, one.replay, one.token) for one in request.claims]
        if not all(map(_is_valid, claims)):
            raise ClarionError(
                Code.INVALID,
                "A claim needs a delivery_id that is a UUID in lower case, a replay from 0 to"
                f" {_MAX_REPLAY} and a token of at most {_MAX_TOKEN} characters.",
            )
        await self._progress.catch_up()
        return claims_pb2.ClaimDeliveriesResponse(
            states=[
                claims_pb2.ClaimState(
                    status=trace_pb2.DeliveryStatus.ValueType(answer.status),
                    is_held_by_another=answer.is_held_by_another,
                )
                for answer in await self._store.claim(claims)
            ]
        )


def _is_valid(claim: Claim) -> bool:
    return is_uuid(claim.delivery_id) and 0 <= claim.replay <= _MAX_REPLAY and len(claim.token) <= _MAX_TOKEN
