"""RouterPrivacyService: wire to stores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from clarion.router.v1 import privacy_pb2, privacy_pb2_grpc
from runtime import clock
from services.domain.addresses import parse_email, parse_phone
from services.router.codes.store import CodeStore
from services.router.imports.store import ImportStore
from services.router.recipients.check import CheckedRecipient, Fault, address, invalid
from services.router.recipients.decisions import Names
from services.router.recipients.servicer import check, recipient_of
from services.router.recipients.store import AFTER_ALL, RecipientStore
from services.router.runs.people import PeopleInRuns
from services.router.schedules.people import PeopleInSchedules
from services.router.schedules.servicer import wire_of
from services.router.workflow_runs.people import PeopleInWorkflowRuns

ROUTER_PRIVACY_SERVICE = "clarion.router.v1.RouterPrivacyService"

# Schedules of one answer: each may have a quarter of a megabyte.
EXPORTED_SCHEDULES = 20
# Of a person, besides those that are stored.
MAX_ADDRESSES = 20


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a person, in the form in which they are stored."""

    emails: Sequence[str]
    phones: Sequence[str]

    @classmethod
    def of(cls, stored: CheckedRecipient | None, others: Iterable[str]) -> "Addresses":
        """Return those that are stored, and others as a caller wrote them. Raises INVALID if one cannot be read."""
        emails = [stored.email] if stored else []
        phones = [stored.phone] if stored else []
        faults: list[Fault] = []
        for position, one in enumerate(others):
            at = f"addresses[{position}]"
            if "@" in one:
                emails.append(address(at, one, parse_email, faults))
            else:
                phones.append(address(at, one, parse_phone, faults))
        if faults:
            raise invalid(faults)
        return cls(*(list(dict.fromkeys(filter(None, some))) for some in (emails, phones)))

    @property
    def all(self) -> Sequence[str]:
        """Both kinds."""
        return [*self.emails, *self.phones]

    def identifiers(self, user_id: str) -> list[str]:
        """Return all by which rows of imports name the person."""
        names = [Names(user_id), *(Names(email=one) for one in self.emails), *(Names(phone=one) for one in self.phones)]
        return [identifier for one in names for identifier in one.identifiers()]


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
        if len(request.addresses) > MAX_ADDRESSES:
            raise invalid([("addresses", f"must be at most {MAX_ADDRESSES}")])
        person = request.tenant_id, request.user_id
        # Before they are deleted: an import that stores them meanwhile does so before it, and none does so later.
        stored = await self._recipients.get(*person)
        addresses = Addresses.of(stored.recipient if stored else None, request.addresses)
        await self._imports.note_erased(request.tenant_id, addresses.identifiers(request.user_id))
        erased = await self._runs.erase(*person, self._now(), request.after, addresses.all)
        number, is_done = await self._workflow_runs.erase(*person, self._now(), addresses.all)
        schedules = await self._schedules.erase(*person, self._now(), addresses.all)
        await self._codes.erase(request.tenant_id, emails=addresses.emails, phones=addresses.phones)
        next_after = erased.after or ("" if is_done else AFTER_ALL)
        # At last: until then their addresses tell which contacts of waiting events they are.
        memberships = (
            None if next_after or stored is None else await self._recipients.delete(request.tenant_id, stored.id)
        )
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
        """Return what is stored of a recipient, and the cooldowns of their workflows."""
        check(request.tenant_id, user_id=request.user_id)
        row = await self._recipients.get(request.tenant_id, request.user_id)
        held = await self._workflow_runs.cooldowns(request.tenant_id, request.user_id)
        return privacy_pb2.ExportRecipientResponse(
            recipient=recipient_of(row) if row else None,
            groups=await self._recipients.groups_of(request.tenant_id, row.id) if row else (),
            cooldowns=[privacy_pb2.Cooldown(**one._asdict()) for one in held],
        )

    async def ExportSchedules(
        self, request: privacy_pb2.ExportSchedulesRequest, context: Any
    ) -> privacy_pb2.ExportSchedulesResponse:
        """Return a person's part of the next schedules."""
        check(request.tenant_id, cursor=request.cursor, user_id=request.user_id)
        stored = await self._recipients.get(request.tenant_id, request.user_id)
        addresses = (stored.recipient.email, stored.recipient.phone) if stored else ()
        found, following = await self._schedules.export(
            request.tenant_id, request.user_id, request.cursor, EXPORTED_SCHEDULES, addresses
        )
        return privacy_pb2.ExportSchedulesResponse(schedules=map(wire_of, found), next_cursor=following)
