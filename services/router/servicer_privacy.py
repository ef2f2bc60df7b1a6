"""RouterPrivacyService: wire to stores."""

from typing import Any

from clarion.router.v1 import privacy_pb2, privacy_pb2_grpc
from runtime import clock
from services.router.recipients.servicer import check, recipient_of
from services.router.recipients.store import RecipientStore
from services.router.runs.people import PeopleInRuns
from services.router.schedules.people import PeopleInSchedules

ROUTER_PRIVACY_SERVICE = "clarion.router.v1.RouterPrivacyService"


class RouterPrivacyServicer(privacy_pb2_grpc.RouterPrivacyServiceServicer):
    """See proto/clarion/router/v1/privacy.proto."""

    def __init__(
        self,
        recipients: RecipientStore,
        runs: PeopleInRuns,
        schedules: PeopleInSchedules,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._recipients = recipients
        self._runs = runs
        self._schedules = schedules
        self._now = now

    async def EraseRecipient(
        self, request: privacy_pb2.EraseRecipientRequest, context: Any
    ) -> privacy_pb2.EraseRecipientResponse:
        """Delete what is stored of a recipient, and take them out of schedules and of some events that wait."""
        check(request.tenant_id, cursor=request.after, user_id=request.user_id)
        memberships = await self._recipients.delete(request.tenant_id, request.user_id)
        erased = await self._runs.erase(request.tenant_id, request.user_id, self._now(), request.after)
        schedules = await self._schedules.erase(request.tenant_id, request.user_id, self._now())
        return privacy_pb2.EraseRecipientResponse(
            recipients=int(memberships is not None),
            memberships=memberships or 0,
            runs=erased.runs,
            schedules=schedules,
            next_after=erased.after,
        )

    async def ExportRecipient(
        self, request: privacy_pb2.ExportRecipientRequest, context: Any
    ) -> privacy_pb2.ExportRecipientResponse:
        """Return what is stored of a recipient."""
        check(request.tenant_id, user_id=request.user_id)
        row = await self._recipients.get(request.tenant_id, request.user_id)
        if row is None:
            return privacy_pb2.ExportRecipientResponse()
        groups = await self._recipients.groups_of(request.tenant_id, row.id)
        return privacy_pb2.ExportRecipientResponse(recipient=recipient_of(row), groups=groups)
