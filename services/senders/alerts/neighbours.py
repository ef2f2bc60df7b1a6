"""Clients of ingest, which accepts alerts as events and knows which tenants are in trouble."""

import grpc.aio
import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc, usage_pb2, usage_pb2_grpc
from runtime import logs
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller
from services.senders.alerts.outages import Alert, AlertSettings

_DEADLINE_S = 5.0
# A repeat of an alert comes within this time, seconds.
_REMEMBERED_S = 7 * 86_400
# Refusals after which the call is repeated; its key makes the repeat of what was accepted harmless.
_PASSING = {Code.UNAVAILABLE, Code.OVERLOADED, Code.INTERNAL, Code.LIMITED}

log = logs.get(__name__)


class IngestAlerts:
    """Implements telling.AlertSender."""

    def __init__(self, connection: grpc.aio.Channel, caller: Caller) -> None:
        self._stub = ingest_pb2_grpc.IngestServiceStub(connection)
        self._caller = caller

    async def send(self, settings: AlertSettings, alert: Alert) -> list[str]:
        """See telling.AlertSender. What ingest refuses for good is logged: the outage is still listed."""
        events = [_for_endpoints(alert)] if settings.endpoints else []
        if settings.recipients:
            events.append(_for_people(settings, alert))
        items = [ingest_pb2.AcceptItem(tenant_id=settings.tenant_id, event=event) for event in events]
        request = ingest_pb2.AcceptEventsRequest(items=items)
        answer = await self._caller(self._stub.AcceptEvents, request, deadline=_DEADLINE_S)
        ids = []
        for result in answer.results:
            if not result.HasField("error"):
                ids.append(result.accepted.event_id)
                continue
            error = ClarionError.from_proto(result.error)
            if error.code in _PASSING:
                raise error
            log.error("alert_refused", tenant_id=settings.tenant_id, alert=alert.event_type, error=error.detail)
        return ids


class IngestTroubles:
    """Asks ingest which tenants are in trouble."""

    def __init__(self, connection: grpc.aio.Channel, caller: Caller) -> None:
        self._stub = usage_pb2_grpc.UsageServiceStub(connection)
        self._caller = caller

    async def troubles(self) -> list[usage_pb2.Trouble]:
        """Return them. Raises ClarionError: UNAVAILABLE."""
        answer = await self._caller(self._stub.ListTroubles, usage_pb2.ListTroublesRequest(), deadline=_DEADLINE_S)
        return list(answer.troubles)


def _for_people(settings: AlertSettings, alert: Alert) -> ingest_pb2.NewEvent:
    variables = {"title": alert.title, "message": alert.message, **alert.variables}
    return ingest_pb2.NewEvent(
        event_type=alert.people_type,
        variables=msgspec.json.encode(variables),
        audience=[_target(one) for one in settings.recipients],
        dedupe=_dedupe(alert, "people"),
    )


def _for_endpoints(alert: Alert) -> ingest_pb2.NewEvent:
    variables = {**alert.variables, "title": alert.title, "message": alert.message}
    return ingest_pb2.NewEvent(
        event_type=alert.event_type,
        variables=msgspec.json.encode(variables),
        to_endpoints=ingest_pb2.ToEndpoints(subscribers=ingest_pb2.Subscribers()),
        dedupe=_dedupe(alert, "endpoints"),
    )


def _target(recipient: str) -> event_pb2.Target:
    if "@" in recipient:
        return event_pb2.Target(recipient=event_pb2.Recipient(user_id=recipient, email=recipient))
    return event_pb2.Target(recipient_id=recipient)


def _dedupe(alert: Alert, whom: str) -> ingest_pb2.Dedupe:
    return ingest_pb2.Dedupe(
        kind=ingest_pb2.DEDUPE_KIND_KEY, key=f"{alert.key}.{whom}", scope="alerts", ttl_s=_REMEMBERED_S
    )
