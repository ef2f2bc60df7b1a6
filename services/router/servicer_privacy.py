"""RouterPrivacyService: wire to stores."""

from typing import Any

from clarion.router.v1 import privacy_pb2, privacy_pb2_grpc
from runtime import clock
from services.router.codes.store import CodeStore
from services.router.imports.store import ImportStore
from services.router.recipients.decisions import Names
from services.router.recipients.servicer import check, recipient_of
from services.router.recipients.store import AFTER_ALL, RecipientStore
from services.router.runs.people import PeopleInRuns
from services.router.schedules.people import PeopleInSchedules
from services.router.workflow_runs.people import PeopleInWorkflowRuns

ROUTER_PRIVACY_SERVICE = "clarion.router.v1.RouterPrivacyService"


class RouterPrivacyServicer(privacy_pb2_grpc.RouterPrivacyServiceServicer):
    """See proto/clarion/router/v1/privacy.proto."""

    def __init__(
        self,
        recipients: RecipientStore,
        runs: PeopleInRuns,
        workflow_runs: PeopleInWorkflowRuns,
        schedules: PeopleInSchedules,
        imports: ImportStore,
        codes: CodeStore,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._recipients = recipients
        self._runs = runs
        self._workflow_runs = workflow_runs
        self._imports = imports
        self._schedules = schedules
        self._codes = codes
        self._now = now

    async def EraseRecipient(
        self, request: privacy_pb2.EraseRecipientRequest, context: Any
    ) -> privacy_pb2.EraseRecipientResponse:
        """Delete what is stored of a recipient, and take them out of schedules and of some events that wait.

        One-time codes for their addresses are deleted with them.
        """
        check(request.tenant_id, cursor=request.after, user_id=request.user_id)
        # Before they are deleted: an import that stores them meanwhile does so before it, and none does so later.
        stored = await self._recipients.get(request.tenant_id, request.user_id)
        one = stored.recipient if stored else None
        names = Names(request.user_id, "", one.email, one.phone) if one else Names(request.user_id)
        await self._imports.note_erased(request.tenant_id, list(names.identifiers()))
        erased = await self._runs.erase(
            request.tenant_id, request.user_id, self._now(), request.after, (names.email, names.phone)
        )
        number, is_done = await self._workflow_runs.erase(request.tenant_id, request.user_id, self._now())
        schedules = await self._schedules.erase(
            request.tenant_id, request.user_id, self._now(), (names.email, names.phone)
        )
        await self._codes.erase(request.tenant_id, email=names.email, phone=names.phone)
        next_after = erased.after or ("" if is_done else AFTER_ALL)
        # At last: until then their addresses tell which contacts of waiting events they are.
        memberships = None if next_after else await self._recipients.delete(request.tenant_id, request.user_id)
        return privacy_pb2.EraseRecipientResponse(
            recipients=int(memberships is not None),
            memberships=memberships or 0,
            runs=erased.runs + number,
            schedules=schedules,
            next_after=next_after,
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
