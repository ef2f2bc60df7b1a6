"""Retention periods of a tenant, and export and erasure of a recipient's data.

The gateway asks the services that own the data one after the other, so that no service depends on another. It keeps
no state: an erasure that was interrupted is requested again.
"""

import time
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from clarion.ingest.v1 import privacy_pb2
from clarion.realtime.v1 import privacy_pb2 as realtime_pb2
from clarion.router.v1 import privacy_pb2 as router_pb2
from clarion.senders.v1 import privacy_pb2 as senders_pb2
from gateway.admin import forms, retention
from gateway.admin.person_data import PersonData
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.replies import json_reply
from services.domain.addresses import InvalidAddress, parse_email, parse_phone
from services.domain.retention import DAYS

# One request erases for this long, seconds; what is left then is for the next one.
ERASE_S = 15.0
# One page may delete a thousand rows in each of several tables.
PAGE_DEADLINE_S = 8.0

# Of a person, besides those that are stored.
MAX_ADDRESSES = 20

Days = Annotated[int, Meta(ge=1, le=3650)] | None


class RetentionBody(forms.Body):
    """The body of PUT /tenants/{id}/retention: all periods, in days. null or absent: the installation's default.

    keep_content: whether what is sent is stored with the attempt, for payload_days.
    """

    events_days: Days = None
    payload_days: Days = None
    inbox_days: Days = None
    outbox_days: Days = None
    keep_content: bool = True


class RecipientBody(forms.Body):
    """Names a person. The user id is in the body because paths are logged."""

    user_id: forms.UserId


class ErasureRequestBody(RecipientBody):
    """The body of POST /tenants/{id}/recipients/erase.

    addresses: e-mail addresses and phone numbers of theirs besides those that are stored: what was sent to these
    without a user id is erased, too.
    """

    addresses: Annotated[list[Annotated[str, Meta(min_length=1, max_length=320)]], Meta(max_length=MAX_ADDRESSES)] = (
        msgspec.field(default_factory=list)
    )


class ExportRequestBody(RecipientBody):
    """The body of POST /tenants/{id}/recipients/export."""

    cursor: Annotated[str, Meta(max_length=1024)] = ""


class _Cursor(msgspec.Struct):
    """Where each part of an export continues. Empty: at its start; None: it is complete."""

    events: str | None = ""
    inbox: str | None = ""
    schedules: str | None = ""
    workflow_runs: str | None = ""


class PrivacyRoutes:
    """Handlers that ask ingest, realtime, router and senders."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def retention(self, request: web.Request) -> web.Response:
        """Return a tenant's own retention periods."""
        wire = privacy_pb2.GetRetentionRequest(tenant_id=_tenant(request))
        answer = await self._clients.call(self._clients.privacy.GetRetention, wire)
        return json_reply(_policy(answer.retention) | {"defaults": await retention.defaults(self._clients, answer)})

    async def set_retention(self, request: web.Request) -> web.Response:
        """Replace a tenant's retention periods."""
        tenant_id = _tenant(request)
        body = await forms.read(request, RetentionBody)
        wanted = privacy_pb2.Retention(
            **{name: getattr(body, name) or 0 for name in DAYS}, discard_content=not body.keep_content
        )
        wire = privacy_pb2.SetRetentionRequest(tenant_id=tenant_id, retention=wanted)
        await self._clients.call(self._clients.privacy.SetRetention, wire)
        return await self.retention(request)

    async def erase(self, request: web.Request) -> web.Response:
        """Erase one recipient's data in all services. complete is false if the caller must repeat the call."""
        tenant_id = _tenant(request)
        body = await forms.read(request, ErasureRequestBody)
        _check_addresses(body.addresses)
        erasure = _Erasure(self._clients, tenant_id, body.user_id, body.addresses)
        complete = await erasure.run()
        return json_reply(
            {
                "erasure_id": erasure.begun.erasure_id,
                "erased_until": forms.iso(erasure.begun.at_us),
                "complete": complete,
                "erased": erasure.counts,
            }
        )

    async def export(self, request: web.Request) -> web.Response:
        """Return one page of a recipient's data."""
        tenant_id = _tenant(request)
        body = await forms.read(request, ExportRequestBody)
        cursor = _decoded(forms.opened_cursor(request, body.cursor, body.user_id))
        person = PersonData(self._clients, tenant_id, body.user_id)
        stored = {"recipient": None, "cooldowns": []} if body.cursor else await person.stored()
        found: dict[str, list[dict[str, Any]]] = {}
        following: dict[str, str | None] = {}
        for part, read in person.parts.items():
            at: str | None = getattr(cursor, part)
            found[part], following[part] = ([], None) if at is None else await read(at)
        return json_reply(
            {
                "tenant_id": tenant_id,
                "user_id": body.user_id,
                **stored,
                **found,
                "next_cursor": forms.sealed_cursor(request, _encoded(_Cursor(**following)), body.user_id),
            }
        )


class _Erasure:
    """The part of an erasure that one request does. counts: erased rows by kind.

    begun: the ledger's answer; empty until run() was called. addresses: of the person, besides those that are stored.
    """

    def __init__(self, clients: Clients, tenant_id: str, user_id: str, addresses: Sequence[str] = ()) -> None:
        self._clients = clients
        self._tenant_id = tenant_id
        self._user_id = user_id
        self._addresses = addresses
        self.begun = privacy_pb2.BeginErasureResponse()
        self._until = time.monotonic() + ERASE_S
        self.counts = dict.fromkeys(
            (
                "recipients",
                "memberships",
                "waiting_events",
                "schedules",
                "notifications",
                "messages",
                "provider_records",
                "contents",
                "events",
                "payloads",
                "attempts",
                "dead_letters",
            ),
            0,
        )

    async def run(self) -> bool:
        """Erase until nothing is left or ERASE_S is over. Return whether nothing is left."""
        if not (await self._begin() and await self._stored() and await self._inbox()):
            return False
        return await self._events(late=False) and await self._events(late=True)

    async def _begin(self) -> bool:
        """Stop what is under way to the person, and have the ledger note which events without a user id are theirs.

        First of all: once the router has erased them, nobody knows their addresses any more.
        """
        wire = privacy_pb2.BeginErasureRequest(tenant_id=self._tenant_id, user_id=self._user_id)
        self.begun = await self._call(self._clients.privacy.BeginErasure, wire)
        person = router_pb2.ExportRecipientRequest(tenant_id=self._tenant_id, user_id=self._user_id)
        stored = (await self._call(self._clients.router_privacy.ExportRecipient, person)).recipient
        wire.addresses.extend(_as_written([*self._addresses, stored.email, stored.phone]))
        more = bool(wire.addresses)
        while more:
            if self._is_over():
                return False
            self.begun = await self._call(self._clients.privacy.BeginErasure, wire)
            more = self.begun.more
        return True

    async def _stored(self) -> bool:
        """Erase what the router stores, and take the person out of events that wait."""
        after, more = "", True
        while more:
            if self._is_over():
                return False
            wire = router_pb2.EraseRecipientRequest(
                tenant_id=self._tenant_id, user_id=self._user_id, after=after, addresses=self._addresses
            )
            answer = await self._call(self._clients.router_privacy.EraseRecipient, wire)
            self.counts["recipients"] += answer.recipients
            self.counts["memberships"] += answer.memberships
            self.counts["waiting_events"] += answer.runs
            self.counts["schedules"] += answer.schedules
            after, more = answer.next_after, bool(answer.next_after)
        return True

    async def _inbox(self) -> bool:
        more, inbox_only = True, False
        while more:
            if self._is_over():
                return False
            wire = realtime_pb2.EraseRecipientRequest(
                tenant_id=self._tenant_id, user_id=self._user_id, until_us=self.begun.at_us, inbox_only=inbox_only
            )
            answer = await self._call(self._clients.realtime_privacy.EraseRecipient, wire)
            self.counts["notifications"] += answer.notifications
            more, inbox_only = answer.more, True
        return True

    async def _events(self, *, late: bool) -> bool:
        """Erase page by page. late: what an attempt stored after its event had been erased."""
        after = ""
        while True:
            if self._is_over():
                return False
            wire = privacy_pb2.ListErasureEventsRequest(
                tenant_id=self._tenant_id,
                user_id="" if late else self._user_id,
                erasure_id=self.begun.erasure_id,
                late=late,
                after=after,
                shared=True,
            )
            page = await self._call(self._clients.privacy.ListErasureEvents, wire)
            if not page.event_ids:
                return True
            await self._page(page, late=late)
            after = page.event_ids[-1] if late else ""

    async def _page(self, page: privacy_pb2.ListErasureEventsResponse, *, late: bool) -> None:
        # The ledger comes last: only it knows whose events these are.
        shared = set(page.shared_event_ids)
        await self._messages([id_ for id_ in page.event_ids if id_ not in shared])
        if page.delivery_ids:  # none would mean all
            await self._messages(list(page.shared_event_ids), list(page.delivery_ids))
        ledger = await self._call(
            self._clients.privacy.EraseEvents,
            privacy_pb2.EraseEventsRequest(
                tenant_id=self._tenant_id,
                erasure_id=self.begun.erasure_id,
                event_ids=page.event_ids,
                user_id=self._user_id,
            ),
        )
        self._count(ledger, "payloads", "attempts", "dead_letters")
        if not late:  # late ones were counted before
            self._count(ledger, "events")

    async def _messages(self, event_ids: list[str], delivery_ids: Sequence[str] = ()) -> None:
        """Erase what the senders store of these events, or of these deliveries of them."""
        if event_ids:
            wire = senders_pb2.EraseMessagesRequest(
                tenant_id=self._tenant_id, event_ids=event_ids, delivery_ids=delivery_ids
            )
            answer = await self._call(self._clients.senders_privacy.EraseMessages, wire)
            self._count(answer, "messages", "provider_records", "contents")

    def _count(self, answer: Any, *names: str) -> None:
        for name in names:
            self.counts[name] += getattr(answer, name)

    async def _call(self, method: Any, wire: Any) -> Any:
        return await self._clients.call(method, wire, deadline=PAGE_DEADLINE_S)

    def _is_over(self) -> bool:
        return time.monotonic() > self._until


def _tenant(request: web.Request) -> str:
    tenant_id = forms.path_id(request)
    request[TENANT_ID] = tenant_id
    return tenant_id


def _check_addresses(addresses: Sequence[str]) -> None:
    """Raise INVALID for what is neither an e-mail address nor a phone number."""
    for position, one in enumerate(addresses):
        try:
            parse_email(one) if "@" in one else parse_phone(one)
        except InvalidAddress as error:
            raise forms.invalid(f"addresses[{position}]", f"is invalid: {error}") from None


def _as_written(addresses: Sequence[str]) -> Sequence[str]:
    """Return addresses in the forms in which events may have them: the ledger compares them as they are written."""
    return list(dict.fromkeys(form for one in addresses for form in (one, one.lower()) if form))


def _policy(retention: privacy_pb2.Retention) -> dict[str, Any]:
    return {name: getattr(retention, name) or None for name in DAYS} | {"keep_content": not retention.discard_content}


def _encoded(cursor: _Cursor) -> str:
    return "" if cursor == _Cursor(None, None, None, None) else msgspec.json.encode(cursor).decode()


def _decoded(text: str) -> _Cursor:
    return msgspec.json.decode(text, type=_Cursor) if text else _Cursor()
