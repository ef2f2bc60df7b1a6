"""LedgerService: wire to store."""

import base64
import binascii
import dataclasses
from typing import Any

from nats.aio.client import Client

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import ledger_pb2, ledger_pb2_grpc
from runtime import clock, logs
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain import statuses
from services.domain.checks import check_id, check_tenant_ids, invalid
from services.domain.endpoints import MAX_METADATA
from services.domain.paging import page_limit
from services.ingest.database import database_errors
from services.ingest.dead_letters.store import filter_of
from services.ingest.ledger.cursor import Cursors
from services.ingest.ledger.progress import TraceProgress
from services.ingest.ledger.reader import DeliverySearch, EventDeliveries, LedgerReader
from services.ingest.ledger.record import metadata_json
from services.ingest.ledger.search import EventFinder, EventSearch
from services.ingest.ledger.summaries import (
    attempt,
    dead_letter,
    delivery_summary,
    event_summary,
    recipient,
    workflow_count,
)
from services.ingest.ledger.timeline import Row, delivery_timeline, timeline
from services.ingest.retries.publisher import DeliveryPublisher
from services.ingest.retries.store import RetryStore
from services.ingest.time_range import check_time_range

_MAX_STATES = 500
_MAX_ENDPOINT_DELIVERIES = 200
# Deliveries of an event that a list shows, and that GetEvent shows; see ListDeliveries.
LISTED = 20
SHOWN = 100
# As far as pages by number reach.
MAX_OFFSET = 10_000

log = logs.get(__name__)


class LedgerServicer(ledger_pb2_grpc.LedgerServiceServicer):
    """See proto/clarion/ingest/v1/ledger.proto."""

    def __init__(
        self,
        retries: RetryStore,
        reader: LedgerReader,
        finder: EventFinder,
        connection: Client,
        cursors: Cursors,
        *,
        now: clock.Clock = clock.now_us,
    ) -> None:
        self._retries = retries
        self._reader = reader
        self._finder = finder
        self._publisher = DeliveryPublisher(connection, now=now)
        self._progress = TraceProgress(connection)
        self._cursors = cursors

    @database_errors
    async def ListEvents(self, request: ledger_pb2.ListEventsRequest, context: Any) -> ledger_pb2.ListEventsResponse:
        """Return a page of events."""
        limit = page_limit(request.limit)
        check_time_range(request.since_us, request.until_us)
        for field in ("tenant_id", "cursor", "workflow_id"):
            check_id(field, getattr(request, field), required=False)
        if len(request.metadata) > MAX_METADATA:
            raise invalid("metadata", f"must have at most {MAX_METADATA} labels")
        if request.metadata and not request.tenant_id:
            raise invalid("metadata", "must be given with tenant_id")
        tenants = check_tenant_ids(request.tenant_ids)
        if request.tenant_id:
            if tenants and request.tenant_id not in tenants:
                return ledger_pb2.ListEventsResponse()
            tenants = [request.tenant_id]
        search = EventSearch(
            tenant_ids=tenants or (),
            event_type=request.event_type or None,
            recipient=request.recipient or None,
            status=request.status or None,
            channel=request.channel or None,
            reason=request.reason or None,
            provider=request.provider or None,
            since_us=request.since_us or None,
            until_us=request.until_us or None,
            event_id=request.event_id or None,
            metadata=metadata_json(request.tenant_id, request.metadata) if request.metadata else None,
            workflow_id=request.workflow_id or None,
            before=request.cursor or None,
        )
        page = await self._finder.page(search, limit)
        events = await self._reader.events(page.ids, LISTED)
        return ledger_pb2.ListEventsResponse(
            events=[event_summary(event.row, event.deliveries, event.counts) for event in events],
            next_cursor=page.next or "",
        )

    @database_errors
    async def GetEvent(self, request: ledger_pb2.GetEventRequest, context: Any) -> ledger_pb2.GetEventResponse:
        """Return one event and its timeline."""
        check_id("event_id", request.event_id)
        found = await self._reader.events([request.event_id], SHOWN, most_counted=None)
        if not found:
            raise _no_event()
        event = found[0]
        # All attempts and steps of workflow runs, or those of the deliveries that are shown.
        is_all = len(event.deliveries) < SHOWN
        shown = None if is_all else [delivery["id"] for delivery in event.deliveries]
        runs = None if is_all else [one["workflow_run_id"] for one in event.deliveries if one["workflow_run_id"]]
        steps = timeline(
            event.row,
            event.deliveries,
            await self._reader.attempts(event.id, shown),
            await self._reader.replays(event.id),
            await self._reader.workflow_steps(event.id, runs) if event.row["has_workflows"] else (),
            await self._reader.conflicts(event.id),
        )
        return ledger_pb2.GetEventResponse(event=event_summary(event.row, event.deliveries, event.counts), steps=steps)

    @database_errors
    async def ListDeliveries(
        self, request: ledger_pb2.ListDeliveriesRequest, context: Any
    ) -> ledger_pb2.ListDeliveriesResponse:
        """Return a page of an event's deliveries."""
        limit = page_limit(request.limit)
        check_id("cursor", request.cursor, required=False)
        if not 0 <= request.offset <= MAX_OFFSET or (request.offset and request.cursor):
            raise invalid("offset", f"must be from 0 to {MAX_OFFSET:,}, and is not used together with cursor")
        check_id("event_id", request.event_id)
        check_id("workflow_id", request.workflow_id, required=False)
        event = await self._event(request.event_id, request.tenant_id)
        if request.recipient and not event["is_shared"] and not _is_for(event, request.recipient):
            return ledger_pb2.ListDeliveriesResponse()
        wanted = EventDeliveries(
            list({*request.statuses, *((request.status,) if request.status else ())}) or None,
            request.recipient or None,
            request.workflow_id or None,
            request.step or None,
        )
        # One more than are shown says whether there is another page.
        rows = await self._reader.deliveries(event, wanted, request.cursor or None, limit + 1, request.offset)
        shown = rows[:limit]
        return ledger_pb2.ListDeliveriesResponse(
            deliveries=[delivery_summary(row, event) for row in shown],
            next_cursor=str(shown[-1]["id"]) if len(rows) > limit else "",
        )

    @database_errors
    async def GetDelivery(self, request: ledger_pb2.GetDeliveryRequest, context: Any) -> ledger_pb2.GetDeliveryResponse:
        """Return one delivery and its timeline."""
        row = await self._delivery(request.delivery_id, request.tenant_id)
        event = await self._event(str(row["event_id"]))
        if row["channel"] == event_pb2.CHANNEL_WEBHOOK:
            attempts = await self._reader.webhook_attempts(request.delivery_id)
        else:
            attempts = await self._reader.attempts(event["id"], [row["id"]], answers=True)
        run = row["workflow_run_id"]
        of_workflow = await self._reader.workflow_steps(str(row["event_id"]), [run]) if run is not None else ()
        is_for_person = row["channel"] != event_pb2.CHANNEL_WEBHOOK
        return ledger_pb2.GetDeliveryResponse(
            delivery=delivery_summary(row, event),
            tenant_id=str(row["tenant_id"]),
            steps=delivery_timeline(event, row, attempts, of_workflow),
            recipient=(recipient(row) or recipient(event)) if is_for_person else None,
            is_secret=event["is_secret"],
        )

    async def _delivery(self, delivery_id: str, tenant_id: str) -> Row:
        """Return a delivery. tenant_id: whose it must be; empty: any tenant's. Raises NOT_FOUND."""
        check_id("delivery_id", delivery_id)
        check_id("tenant_id", tenant_id, required=False)
        row = await self._reader.delivery(delivery_id)
        if row is None or tenant_id not in ("", str(row["tenant_id"])):
            raise ClarionError(Code.NOT_FOUND, "There is no such delivery, or the ledger has not read it yet.")
        return row

    @database_errors
    async def ListEndpointDeliveries(
        self, request: ledger_pb2.ListEndpointDeliveriesRequest, context: Any
    ) -> ledger_pb2.ListEndpointDeliveriesResponse:
        """Return a page of a tenant's deliveries to endpoints."""
        limit = page_limit(request.limit, largest=_MAX_ENDPOINT_DELIVERIES)
        search = self._endpoint_search(request)
        page = await self._reader.endpoint_deliveries(search, limit)
        return ledger_pb2.ListEndpointDeliveriesResponse(
            deliveries=[delivery_summary(row, row) for row in page.rows],
            next_cursor=self._cursors.encode(page.next, _bound_to(search)) if page.next is not None else "",
        )

    def _endpoint_search(self, request: ledger_pb2.ListEndpointDeliveriesRequest) -> DeliverySearch:
        check_id("tenant_id", request.tenant_id)
        check_id("endpoint_id", request.endpoint_id, required=False)
        check_time_range(request.since_us, request.until_us)
        if any(status not in statuses.BY_NUMBER for status in request.statuses):
            raise invalid("statuses", f"must be some of {', '.join(statuses.BY_NAME)}")
        if len(request.metadata) > MAX_METADATA:
            raise invalid("metadata", f"must have at most {MAX_METADATA} labels")
        search = DeliverySearch(
            tenant_id=request.tenant_id,
            endpoint_id=request.endpoint_id or None,
            statuses=tuple(sorted(set(request.statuses))),
            event_type=request.event_type or None,
            metadata=metadata_json(request.tenant_id, request.metadata) if request.metadata else None,
            since_us=request.since_us,
            until_us=request.until_us,
        )
        if not request.cursor:
            return search
        return dataclasses.replace(search, before=self._cursors.decode(request.cursor, _bound_to(search)))

    @database_errors
    async def ListAttempts(
        self, request: ledger_pb2.ListAttemptsRequest, context: Any
    ) -> ledger_pb2.ListAttemptsResponse:
        """Return the attempts of a delivery to an endpoint."""
        check_id("tenant_id", request.tenant_id)
        await self._delivery(request.delivery_id, request.tenant_id)
        rows = await self._reader.webhook_attempts(request.delivery_id)
        # Parkings are no attempts.
        made = [attempt(row) for row in rows if row["status"] != trace_pb2.DELIVERY_STATUS_QUEUED]
        return ledger_pb2.ListAttemptsResponse(attempts=made)

    @database_errors
    async def RetryDelivery(
        self, request: ledger_pb2.RetryDeliveryRequest, context: Any
    ) -> ledger_pb2.RetryDeliveryResponse:
        """Send a delivery to an endpoint again."""
        check_id("tenant_id", request.tenant_id)
        check_id("delivery_id", request.delivery_id)
        await self._retries.retry(request.tenant_id, request.delivery_id, self._publisher.publish)
        row = await self._delivery(request.delivery_id, request.tenant_id)
        event = await self._event(str(row["event_id"]))
        log.info("delivery_retried", tenant_id=request.tenant_id, delivery_id=request.delivery_id)
        return ledger_pb2.RetryDeliveryResponse(delivery=delivery_summary(row, event))

    @database_errors
    async def GetWorkflowCounts(
        self, request: ledger_pb2.GetWorkflowCountsRequest, context: Any
    ) -> ledger_pb2.GetWorkflowCountsResponse:
        """Return how many deliveries of an event have each status, by workflow and step."""
        check_id("tenant_id", request.tenant_id)
        check_id("event_id", request.event_id)
        event = await self._event(request.event_id, request.tenant_id)
        rows = await self._reader.workflow_counts(event)
        return ledger_pb2.GetWorkflowCountsResponse(counts=map(workflow_count, rows))

    async def _event(self, event_id: str, tenant_id: str = "") -> Row:
        """Return an event. tenant_id: whose it must be; empty: any tenant's. Raises NOT_FOUND."""
        check_id("tenant_id", tenant_id, required=False)
        row = await self._reader.row(event_id)
        if row is None or tenant_id not in ("", str(row["tenant_id"])):
            raise _no_event()
        return row

    @database_errors
    async def GetDeliveryStates(
        self, request: ledger_pb2.GetDeliveryStatesRequest, context: Any
    ) -> ledger_pb2.GetDeliveryStatesResponse:
        """Return the status of each delivery, after the ledger has read everything that was on TRACE."""
        if len(request.delivery_ids) > _MAX_STATES:
            raise ClarionError(Code.INVALID, f"At most {_MAX_STATES} ids at a time.")
        await self._progress.catch_up()
        known = await self._reader.states(request.delivery_ids)
        unknown = trace_pb2.DELIVERY_STATUS_UNSPECIFIED
        return ledger_pb2.GetDeliveryStatesResponse(
            states=[trace_pb2.DeliveryStatus.ValueType(known.get(id_, unknown)) for id_ in request.delivery_ids]
        )

    @database_errors
    async def GetEventBody(
        self, request: ledger_pb2.GetEventBodyRequest, context: Any
    ) -> ledger_pb2.GetEventBodyResponse:
        """Return what an event carried."""
        check_id("tenant_id", request.tenant_id)
        check_id("event_id", request.event_id)
        event = await self._reader.payload(request.tenant_id, request.event_id)
        if event is None:
            raise ClarionError(Code.NOT_FOUND, "The event's content was deleted, or the ledger has not read it yet.")
        answer = ledger_pb2.GetEventBodyResponse(variables=event.variables, payload_extra=event.payload_extra)
        if request.whole:
            answer.event.CopyFrom(event)
            answer.event.ClearField("variables")
            answer.event.ClearField("payload_extra")
        return answer

    @database_errors
    async def GetLastEventBody(
        self, request: ledger_pb2.GetLastEventBodyRequest, context: Any
    ) -> ledger_pb2.GetLastEventBodyResponse:
        """Return what the newest event of a type carried."""
        check_id("tenant_id", request.tenant_id)
        found = await self._reader.last_payload(request.tenant_id, request.event_type)
        if found is None:
            detail = (
                "None of the tenant's newest events has this type and a stored content. Send one, or write a sample."
            )
            raise ClarionError(Code.NOT_FOUND, detail)
        return ledger_pb2.GetLastEventBodyResponse(
            event_id=found.event.id,
            accepted_at_us=found.accepted_at_us,
            variables=found.event.variables,
            payload_extra=found.event.payload_extra,
        )

    @database_errors
    async def GetEventProgress(
        self, request: ledger_pb2.GetEventProgressRequest, context: Any
    ) -> ledger_pb2.GetEventProgressResponse:
        """Return how far an event's deliveries have come."""
        check_id("event_id", request.event_id)
        return ledger_pb2.GetEventProgressResponse(settled=await self._reader.settled(request.event_id))

    @database_errors
    async def FindTenant(self, request: ledger_pb2.FindTenantRequest, context: Any) -> ledger_pb2.FindTenantResponse:
        """Return whose an event or a delivery is."""
        if bool(request.event_id) == bool(request.delivery_id):
            raise invalid("event_id", "or delivery_id is required, one of them")
        field = "event_id" if request.event_id else "delivery_id"
        check_id(field, getattr(request, field))
        tenant_id = await self._reader.tenant_of(event_id=request.event_id, delivery_id=request.delivery_id)
        if tenant_id is None:
            raise _no_event()
        return ledger_pb2.FindTenantResponse(tenant_id=tenant_id)

    @database_errors
    async def ListDeadLetters(
        self, request: ledger_pb2.ListDeadLettersRequest, context: Any
    ) -> ledger_pb2.ListDeadLettersResponse:
        """Return a page of dead letters that were not replayed."""
        limit = page_limit(request.limit)
        wanted = filter_of(request.filter, request.tenant_id, request.tenant_ids)
        before = _decode_cursor(request.cursor) if request.cursor else None
        rows = await self._reader.dead_letters(wanted, before, limit)
        letters = [dead_letter(row) for row in rows]
        more = _encode_cursor(letters[-1]) if len(letters) == limit else ""
        total = await self._reader.count_dead_letters(wanted) if request.count else 0
        counted = await self._reader.dead_letter_reasons(wanted) if request.count_reasons else []
        return ledger_pb2.ListDeadLettersResponse(
            dead_letters=letters,
            next_cursor=more,
            total=total,
            reasons=[ledger_pb2.ReasonCount(reason=reason, count=count) for reason, count in counted],
        )

    @database_errors
    async def ReplayDeadLetter(
        self, request: ledger_pb2.ReplayDeadLetterRequest, context: Any
    ) -> ledger_pb2.ReplayDeadLetterResponse:
        """Send a dead letter again."""
        check_id("delivery_id", request.delivery_id)
        if not await self._retries.replay(request.delivery_id, self._publisher.publish):
            raise ClarionError(Code.NOT_FOUND, "There is no such dead letter, or it was replayed already.")
        return ledger_pb2.ReplayDeadLetterResponse()


def _bound_to(search: DeliverySearch) -> tuple[object, ...]:
    """Return what a cursor of this list is good for."""
    return tuple(getattr(search, field.name) for field in dataclasses.fields(search) if field.name != "before")


def _no_event() -> ClarionError:
    return ClarionError(Code.NOT_FOUND, "There is no such event, or the ledger has not read it yet.")


def _is_for(event: Row, text: str) -> bool:
    """Return whether this is the user id or an address of the event's only recipient."""
    one = recipient(event)
    return one is not None and text in (one.user_id, one.email, one.phone)


def _encode_cursor(letter: ledger_pb2.DeadLetter) -> str:
    return base64.urlsafe_b64encode(f"{letter.died_at_us}/{letter.delivery_id}".encode()).decode()


def _decode_cursor(cursor: str) -> tuple[int, str]:
    try:
        died_us, _, delivery_id = base64.urlsafe_b64decode(cursor).decode().partition("/")
        if is_uuid(delivery_id):
            return int(died_us), delivery_id
    except (ValueError, binascii.Error):
        pass
    raise invalid("cursor", "must be the next_cursor of a page")
