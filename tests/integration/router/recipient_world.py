"""Stored recipients, segments and imports over gRPC's servicers, on PostgreSQL."""

from typing import Any

import pytest

from clarion.router.v1 import imports_pb2, privacy_pb2, recipients_pb2, segments_pb2
from runtime.errors import ClarionError
from services.domain.pseudonyms import Pseudonyms
from services.router.codes.store import CodeStore
from services.router.groups.store import GroupStore
from services.router.imports.servicer import ImportServicer
from services.router.imports.store import ImportStore
from services.router.imports.worker import Imports
from services.router.recipients.servicer import RecipientServicer
from services.router.recipients.store import Pool, RecipientStore
from services.router.runs.people import PeopleInRuns
from services.router.schedules.people import PeopleInSchedules
from services.router.segments.scan import Scan
from services.router.segments.servicer import SegmentServicer
from services.router.segments.store import SegmentStore
from services.router.servicer_privacy import RouterPrivacyServicer
from services.router.workflow_runs.people import PeopleInWorkflowRuns

TENANT = "01a1fe7a-0000-7000-8000-000000000001"
OTHER = "01a1fe7a-0000-7000-8000-000000000002"


class Api:
    """The servicers' calls, of one tenant unless another is named."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.groups = GroupStore(pool)
        recipients = RecipientStore(pool)
        self.imports = Imports(pool)
        self.codes = CodeStore(pool, Pseudonyms("k" * 32))
        scan, imports = Scan(pool), ImportStore(pool)
        self._services: dict[Any, Any] = {
            recipients_pb2: RecipientServicer(pool, recipients, self.groups, scan),
            privacy_pb2: RouterPrivacyServicer(
                recipients,
                PeopleInRuns(pool),
                PeopleInWorkflowRuns(pool),
                PeopleInSchedules(pool),
                imports,
                self.codes,
            ),
            segments_pb2: SegmentServicer(SegmentStore(pool), scan, recipients),
            imports_pb2: ImportServicer(imports, self.imports.wake),
        }

    async def put(self, *names: str, tenant_id: str = TENANT, **fields: Any) -> list[recipients_pb2.StoredRecipient]:
        """Store recipients that have these fields."""
        new = [recipients_pb2.StoredRecipient(recipient_id=name, **fields) for name in names]
        request = recipients_pb2.PutRecipientsRequest(tenant_id=tenant_id, recipients=new)
        return list((await self._services[recipients_pb2].PutRecipients(request, None)).recipients)

    async def save(
        self, *changes: dict[str, Any], mode: Any = recipients_pb2.SAVE_MODE_UPSERT, unique_email: bool = True
    ) -> list[recipients_pb2.SaveResult]:
        """Save recipients."""
        wanted = [recipients_pb2.RecipientChange(**one) for one in changes]
        answer = await self.call("SaveRecipients", changes=wanted, mode=mode, unique_email=unique_email)
        return list(answer.results)

    async def saved(self, **change: Any) -> recipients_pb2.StoredRecipient:
        """Save a recipient, which must succeed."""
        [result] = await self.save(change)
        assert result.HasField("recipient"), result
        return result.recipient

    async def call(self, method: str, *, tenant_id: str = TENANT, **fields: Any) -> Any:
        """Call a method by its name."""
        name = f"{method}Request"
        messages, service = next(one for one in self._services.items() if hasattr(one[0], name))
        request = getattr(messages, name)(**fields)
        if hasattr(request, "tenant_id"):
            request.tenant_id = tenant_id
        return await getattr(service, method)(request, None)

    async def refused(self, method: str, **fields: Any) -> ClarionError:
        """Return the error of a call."""
        with pytest.raises(ClarionError) as refused:
            await self.call(method, **fields)
        return refused.value

    async def ids(self, method: str = "ListRecipients", **fields: Any) -> list[str]:
        """Return the ids of a list, whole, two at a time."""
        found: list[str] = []
        cursor = ""
        while True:
            page = await self.call(method, limit=2, cursor=cursor, **fields)
            found += [one.recipient_id for one in page.recipients]
            cursor = page.next_cursor
            if not cursor:
                return found

    async def group(self, key: str, *members: str, tenant_id: str = TENANT) -> None:
        """Store a group with these members."""
        await self.call("PutGroup", key=key, tenant_id=tenant_id)
        if members:
            await self.call("ChangeMembers", key=key, add=members, tenant_id=tenant_id)

    async def members(self, key: str) -> int:
        """Return the number of members that a group says it has."""
        return int((await self.call("GetGroup", key=key)).group.members)

    async def is_waiting(self) -> bool:
        """Return whether a statement waits for what another transaction has locked."""
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(await self.pool.fetchval(waiting))

    async def rows(self, table: str) -> int:
        """Return the number of rows."""
        return int(await self.pool.fetchval(f"SELECT count(*) FROM router.{table}"))
