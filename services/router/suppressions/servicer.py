"""SuppressionService: wire to store."""

from typing import Any, ClassVar

from prometheus_client import Counter

from clarion.router.v1 import suppressions_pb2, suppressions_pb2_grpc
from runtime import logs
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain import channels, suppression_list
from services.domain.checks import check_id, check_tenant_ids, invalid
from services.domain.paging import page_limit
from services.domain.pseudonyms import Pseudonyms
from services.router.suppressions.store import StoredSuppression, SuppressionSearch, SuppressionStore
from services.router.suppressions.suppress import checked

SUPPRESSION_SERVICE = "clarion.router.v1.SuppressionService"

_CHANGES = Counter("clarion_suppressions_total", "Addresses suppressed, by reason, and lifted.", ["change"])

log = logs.get(__name__)


class SuppressionServicer(suppressions_pb2_grpc.SuppressionServiceServicer):
    """See proto/clarion/router/v1/suppressions.proto."""

    # For a thousand items, each with a provider's text.
    MAX_BYTES: ClassVar = {"Suppress": 2 * 1024 * 1024}

    def __init__(self, store: SuppressionStore, keyed: Pseudonyms) -> None:
        self._store = store
        self._keyed = keyed

    async def Suppress(
        self, request: suppressions_pb2.SuppressRequest, context: Any
    ) -> suppressions_pb2.SuppressResponse:
        """Suppress addresses."""
        new = checked(request.suppressions, self._keyed)
        hold = await self._store.suppress(new)
        for one in new:
            stored = hold.get(one.key)
            if stored is not None and stored.id == one.id:
                word = suppressions_pb2.SuppressionReason.Name(one.reason).removeprefix("SUPPRESSION_REASON_").lower()
                _CHANGES.labels(word).inc()
                log.info("suppressed", suppression_id=one.id, tenant_id=one.tenant_id, reason=word, source=one.source)
        answers = [hold.get(one.key) for one in new]
        return suppressions_pb2.SuppressResponse(
            suppressions=[_wire(stored) if stored else suppressions_pb2.Suppression() for stored in answers]
        )

    async def ListSuppressions(
        self, request: suppressions_pb2.ListSuppressionsRequest, context: Any
    ) -> suppressions_pb2.ListSuppressionsResponse:
        """List active suppressions, newest first."""
        limit = page_limit(request.limit)
        for field in ("tenant_id", "cursor"):
            check_id(field, getattr(request, field), required=False)
        search = SuppressionSearch(
            tenant_id=request.tenant_id or None,
            channel=request.channel,
            reason=request.reason,
            digests=_digests(request, self._keyed) if request.address else None,
            before=request.cursor or None,
            tenant_ids=check_tenant_ids(request.tenant_ids),
        )
        found = await self._store.page(search, limit)
        return suppressions_pb2.ListSuppressionsResponse(
            suppressions=map(_wire, found), next_cursor=found[-1].id if len(found) == limit else ""
        )

    async def GetSuppression(
        self, request: suppressions_pb2.GetSuppressionRequest, context: Any
    ) -> suppressions_pb2.GetSuppressionResponse:
        """Return an active suppression."""
        stored = await self._store.get(request.suppression_id) if is_uuid(request.suppression_id) else None
        if stored is None:
            raise _no_suppression()
        return suppressions_pb2.GetSuppressionResponse(suppression=_wire(stored))

    async def LiftSuppression(
        self, request: suppressions_pb2.LiftSuppressionRequest, context: Any
    ) -> suppressions_pb2.LiftSuppressionResponse:
        """Lift a suppression."""
        stored = await self._store.lift(request.suppression_id) if is_uuid(request.suppression_id) else None
        if stored is None:
            raise _no_suppression()
        _CHANGES.labels("lifted").inc()
        log.info("suppression_lifted", suppression_id=stored.id, tenant_id=stored.tenant_id)
        return suppressions_pb2.LiftSuppressionResponse(suppression=_wire(stored))


def _digests(request: suppressions_pb2.ListSuppressionsRequest, keyed: Pseudonyms) -> list[bytes]:
    """Return the digests of the address, as an e-mail address and as a number."""
    if not request.tenant_id:
        raise invalid("tenant_id", "is required together with address")
    return [
        suppression_list.digest(keyed, request.tenant_id, channel, form)
        for channel in channels.WITH_ADDRESS
        for form in suppression_list.stored_forms(channel, request.address)
    ]


def _no_suppression() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "There is no such suppression, or it was lifted already.")


def _wire(stored: StoredSuppression) -> suppressions_pb2.Suppression:
    return suppressions_pb2.Suppression(
        id=stored.id,
        tenant_id=stored.tenant_id,
        channel=stored.channel,
        masked=stored.masked,
        reason=stored.reason,
        source=stored.source,
        detail=stored.detail,
        created_at_us=stored.created_at_us,
    )
