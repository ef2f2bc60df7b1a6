"""Client of the ledger: claims deliveries that may have copies, many in one call."""

import grpc.aio

from clarion.common.v1 import trace_pb2
from clarion.ingest.v1 import claims_pb2, claims_pb2_grpc, ledger_pb2, ledger_pb2_grpc
from runtime.batching import Batcher
from runtime.errors import ClarionError
from runtime.grpc import Caller, is_unimplemented
from services.delivery.ports import Claim, ClaimAnswer

_DEADLINE_S = 5.0

_UNKNOWN = trace_pb2.DELIVERY_STATUS_UNSPECIFIED


class LedgerClaims:
    """Implements ports.Claims: collects waiting claims into ClaimDeliveries calls."""

    def __init__(self, connection: grpc.aio.Channel, caller: Caller) -> None:
        self._claims = claims_pb2_grpc.ClaimServiceStub(connection)
        self._ledger = ledger_pb2_grpc.LedgerServiceStub(connection)
        self._caller = caller
        self._batcher: Batcher[Claim, ClaimAnswer] = Batcher(self._flush)

    async def claim(self, claim: Claim) -> ClaimAnswer:
        """See ports.Claims."""
        return await self._batcher.enqueue(claim)

    async def _flush(self, claims: list[Claim]) -> list[ClaimAnswer]:
        request = claims_pb2.ClaimDeliveriesRequest(claims=[_wire(claim) for claim in claims])
        try:
            answer = await self._caller(self._claims.ClaimDeliveries, request, deadline=_DEADLINE_S)
        except ClarionError as error:
            if is_unimplemented(error):
                return await self._of_earlier_version(claims)
            raise
        return [ClaimAnswer(state.status, state.is_held_by_another) for state in answer.states]

    async def _of_earlier_version(self, claims: list[Claim]) -> list[ClaimAnswer]:
        """Ask a ledger that knows no claims, and no replay's own status: senders are replaced before ingest."""
        asked = [claim.delivery_id for claim in claims if not claim.replay]
        request = ledger_pb2.GetDeliveryStatesRequest(delivery_ids=asked)
        answer = await self._caller(self._ledger.GetDeliveryStates, request, deadline=_DEADLINE_S)
        known = dict(zip(asked, answer.states, strict=True))
        return [ClaimAnswer(_UNKNOWN if claim.replay else known[claim.delivery_id]) for claim in claims]


def _wire(claim: Claim) -> claims_pb2.DeliveryClaim:
    return claims_pb2.DeliveryClaim(delivery_id=claim.delivery_id, replay=claim.replay, token=claim.token)
