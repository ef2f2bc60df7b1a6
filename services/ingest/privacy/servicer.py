"""PrivacyService: wire to store."""

from typing import Any

import msgspec

from clarion.ingest.v1 import privacy_pb2, privacy_pb2_grpc
from runtime import clock, logs
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain.checks import check_id, invalid
from services.domain.paging import page_limit
from services.domain.retention import DAYS, RetentionPolicy
from services.ingest.database import database_errors
from services.ingest.privacy.store import LedgerPrivacyStore

NAME = "clarion.ingest.v1.PrivacyService"

MAX_DAYS = 3650
MAX_EVENTS = 100
_MAX_USER_ID = 255
MAX_ADDRESSES, _MAX_ADDRESS = 50, 320
_MAX_EXPORT = 20
# Of one page, well below gRPC's bound: a stored event may have 1 MiB.
_MAX_EXPORT_BYTES = 8 * 1024 * 1024

log = logs.get(__name__)


class PrivacyServicer(privacy_pb2_grpc.PrivacyServiceServicer):
    """See proto/clarion/ingest/v1/privacy.proto."""

    def __init__(
        self,
        store: LedgerPrivacyStore,
        *,
        installation: RetentionPolicy = RetentionPolicy(),  # noqa: B008 - it is frozen
        now: clock.Clock = clock.now_us,
    ) -> None:
        """installation: the days of tenants that have none of their own."""
        self._store = store
        self._installation = installation
        self._now = now

    @database_errors
    async def GetRetention(
        self, request: privacy_pb2.GetRetentionRequest, context: Any
    ) -> privacy_pb2.GetRetentionResponse:
        """Return a tenant's own days."""
        check_id("tenant_id", request.tenant_id)
        policy = await self._store.policy(request.tenant_id)
        return privacy_pb2.GetRetentionResponse(retention=_wire(policy), installation=_wire(self._installation))

    @database_errors
    async def SetRetention(
        self, request: privacy_pb2.SetRetentionRequest, context: Any
    ) -> privacy_pb2.SetRetentionResponse:
        """Replace a tenant's own days."""
        check_id("tenant_id", request.tenant_id)
        wanted = request.retention
        policy = RetentionPolicy(
            **{name: _days(name, getattr(wanted, name)) for name in DAYS}, discard_content=wanted.discard_content
        )
        await self._store.set_retention(request.tenant_id, policy)
        log.info("retention_set", tenant_id=request.tenant_id, **msgspec.structs.asdict(policy))
        return privacy_pb2.SetRetentionResponse(retention=_wire(policy))

    @database_errors
    async def BeginErasure(
        self, request: privacy_pb2.BeginErasureRequest, context: Any
    ) -> privacy_pb2.BeginErasureResponse:
        """Stop what is under way to a recipient; return the erasure's id."""
        check_id("tenant_id", request.tenant_id)
        _check_user(request.user_id)
        addresses = list(dict.fromkeys(request.addresses))
        if len(addresses) > MAX_ADDRESSES or not all(
            0 < len(one) <= _MAX_ADDRESS and "\0" not in one for one in addresses
        ):
            raise invalid("addresses", f"must be at most {MAX_ADDRESSES}, of 1 to {_MAX_ADDRESS} characters each")
        erasure = await self._store.begin(request.tenant_id, request.user_id, self._now())
        more = await self._store.adopt(request.tenant_id, request.user_id, erasure, addresses) if addresses else False
        log.info("erasure_begun", tenant_id=request.tenant_id, erasure_id=erasure.id)
        return privacy_pb2.BeginErasureResponse(erasure_id=erasure.id, at_us=erasure.at_us, more=more)

    @database_errors
    async def ListErasureEvents(
        self, request: privacy_pb2.ListErasureEventsRequest, context: Any
    ) -> privacy_pb2.ListErasureEventsResponse:
        """Return the next events of an erasure."""
        check_id("tenant_id", request.tenant_id)
        check_id("erasure_id", request.erasure_id)
        if request.late:
            if request.after:
                check_id("after", request.after)
            page = await self._store.erased_late(
                request.tenant_id, request.erasure_id, request.after, shared=request.shared
            )
        else:
            _check_user(request.user_id)
            page = await self._store.to_erase(
                request.tenant_id, request.user_id, request.erasure_id, shared=request.shared
            )
        return privacy_pb2.ListErasureEventsResponse(
            event_ids=page.events, shared_event_ids=page.shared, delivery_ids=page.deliveries
        )

    @database_errors
    async def EraseEvents(
        self, request: privacy_pb2.EraseEventsRequest, context: Any
    ) -> privacy_pb2.EraseEventsResponse:
        """Remove the person from these events."""
        check_id("tenant_id", request.tenant_id)
        check_id("erasure_id", request.erasure_id)
        if len(request.event_ids) > MAX_EVENTS or not all(map(is_uuid, request.event_ids)):
            raise ClarionError(Code.INVALID, f"event_ids must be at most {MAX_EVENTS} UUIDs")
        if request.user_id:
            _check_user(request.user_id)
        erased = await self._store.erase(request.tenant_id, request.user_id, request.erasure_id, request.event_ids)
        return privacy_pb2.EraseEventsResponse(
            events=erased.events,
            payloads=erased.payloads,
            attempts=erased.attempts,
            dead_letters=erased.dead_letters,
        )

    @database_errors
    async def ExportEvents(
        self, request: privacy_pb2.ExportEventsRequest, context: Any
    ) -> privacy_pb2.ExportEventsResponse:
        """Return a page of a recipient's events."""
        check_id("tenant_id", request.tenant_id)
        _check_user(request.user_id)
        if request.cursor:
            check_id("cursor", request.cursor)
        limit = page_limit(request.limit, default=_MAX_EXPORT, largest=_MAX_EXPORT)
        found = await self._store.export(request.tenant_id, request.user_id, request.cursor, limit)
        events = _fitting(found)
        more = events[-1].event.id if len(found) == limit or len(events) < len(found) else ""
        return privacy_pb2.ExportEventsResponse(events=events, next_cursor=more)


def _fitting(found: list[privacy_pb2.ExportedEvent]) -> list[privacy_pb2.ExportedEvent]:
    """Return the first ones that fit on one page, at least one."""
    size = 0
    for count, one in enumerate(found):
        size += one.ByteSize()
        if count and size > _MAX_EXPORT_BYTES:
            return found[:count]
    return found


def _wire(policy: RetentionPolicy) -> privacy_pb2.Retention:
    return privacy_pb2.Retention(**msgspec.structs.asdict(policy))


def _days(name: str, value: int) -> int:
    if not 0 <= value <= MAX_DAYS:
        raise invalid(name, f"must be from 1 to {MAX_DAYS:,} days, or 0 for the default")
    return value


def _check_user(user_id: str) -> None:
    if not 0 < len(user_id) <= _MAX_USER_ID or "\x00" in user_id:
        raise invalid("user_id", f"must have 1 to {_MAX_USER_ID} characters")
