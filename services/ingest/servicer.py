"""IngestService: wire to core."""

import asyncio
from typing import Any, ClassVar

from prometheus_client import Counter

from clarion.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from runtime import logs, tracing
from runtime.errors import ClarionError, Code
from runtime.grpc import KEY_METADATA, metadata_value
from runtime.telemetry import current_trace, labelled
from services.domain.checks import check_id
from services.domain.credentials import API_KEY, check_endpoint, scope_of
from services.ingest import validate
from services.ingest.accept import Accepted, Acceptor
from services.ingest.authenticate import Authenticator, refusal
from services.ingest.repeats import RepeatNotes

MAX_ITEMS = 512
MIB = 1024 * 1024

_INGESTED = Counter("clarion_ingested_total", "Calls by their outcome.", ["outcome"])

log = logs.get(__name__)


class IngestServicer(ingest_pb2_grpc.IngestServiceServicer):
    """See proto/clarion/ingest/v1/ingest.proto."""

    # Methods that take a tenant's API key in place of the services' token.
    OPEN_METHODS = ("/clarion.ingest.v1.IngestService/TriggerEvent",)
    # The gateway's groups have 4 MiB at most.
    MAX_BYTES: ClassVar = {"AcceptEvents": 5 * MIB, "TriggerEvent": validate.MAX_SENT_BYTES + 16 * 1024}

    def __init__(
        self,
        acceptor: Acceptor,
        authenticator: Authenticator,
        repeats: RepeatNotes,
    ) -> None:
        self._acceptor = acceptor
        self._authenticator = authenticator
        self._repeats = repeats

    async def TriggerEvent(
        self, request: ingest_pb2.TriggerEventRequest, context: Any
    ) -> ingest_pb2.TriggerEventResponse:
        """Accept one event of an internal caller with an API key."""
        identity = await self._authenticator.identify(metadata_value(context, KEY_METADATA))
        if identity.key.kind != API_KEY:
            raise refusal()
        if request.event.HasField("pinned"):
            raise ClarionError(Code.FORBIDDEN, "Only operators can test templates.")
        validate.check_sent(request.event)
        check_endpoint(request.event.to_endpoints.endpoint_id, identity.key.endpoint_ids)
        request.event.key_id = identity.key.id
        request.event.scope = scope_of(request.event.scope, identity.key.scopes)
        if request.event.dedupe.scope:  # else it is the event's
            scope_of(request.event.dedupe.scope, identity.key.scopes)
        if not request.event.trace_id:
            request.event.trace_id = current_trace()
        accepted = await self._accept(identity.tenant_id, request.event)
        answer = ingest_pb2.TriggerEventResponse(
            event_id=accepted.event_id,
            duplicate=accepted.duplicate,
            event_type=accepted.event_type,
            differs=accepted.differs,
            limits=accepted.limits,
        )
        _add_receipt(answer, accepted)
        return answer

    async def AcceptEvents(
        self, request: ingest_pb2.AcceptEventsRequest, context: Any
    ) -> ingest_pb2.AcceptEventsResponse:
        """Accept the gateway's group, each item on its own."""
        if len(request.items) > MAX_ITEMS:
            raise ClarionError(Code.INVALID, f"At most {MAX_ITEMS} items at a time.")
        results = await asyncio.gather(*[self._result(item) for item in request.items])
        return ingest_pb2.AcceptEventsResponse(results=results)

    async def Authenticate(
        self, request: ingest_pb2.AuthenticateRequest, context: Any
    ) -> ingest_pb2.AuthenticateResponse:
        """Return the tenant of a key."""
        identity = await self._authenticator.identify(request.api_key, disabled_too=request.reads_disabled)
        return ingest_pb2.AuthenticateResponse(
            tenant_id=identity.tenant_id,
            tenant_name=identity.tenant_name,
            account_id=identity.account_id,
            webhook_secrets=self._authenticator.open_secrets(identity),
            kind=identity.key.kind,
            scopes=identity.key.scopes,
            expires_at_us=identity.key.expires_at_us,
            key_id=identity.key.id,
            disabled=identity.key.disabled,
            endpoint_ids=identity.key.endpoint_ids,
            max_payload_bytes=identity.max_payload_bytes,
        )

    async def _result(self, item: ingest_pb2.AcceptItem) -> ingest_pb2.AcceptResult:
        try:
            check_id("tenant_id", item.tenant_id)
            with tracing.item("accept event", item.traceparent):
                accepted = await self._accept(item.tenant_id, item.event, item.revision)
        except ClarionError as error:
            return ingest_pb2.AcceptResult(error=error.to_proto())
        result = ingest_pb2.AcceptResult(
            accepted=ingest_pb2.Accepted(
                event_id=accepted.event_id,
                duplicate=accepted.duplicate,
                first_type=accepted.event_type if accepted.duplicate else "",
                differs=accepted.differs,
                limits=accepted.limits,
            )
        )
        _add_receipt(result.accepted, accepted)
        return result

    async def _accept(self, tenant_id: str, event: ingest_pb2.NewEvent, revision: int = 0) -> Accepted:
        try:
            accepted = await self._acceptor.accept(tenant_id, event, revision=revision)
        except ClarionError as error:
            _INGESTED.labels(error.code.name.lower()).inc()
            log.info(
                "event_refused", tenant_id=tenant_id, trace_id=event.trace_id, code=error.code.name, detail=error.detail
            )
            raise
        if tracing.is_on():
            tracing.annotate(tenant_id=tenant_id, event_id=accepted.event_id, trace_id=event.trace_id)
        labelled(_INGESTED, "duplicate" if accepted.duplicate else "accepted").inc()
        log.info(
            "event",
            tenant_id=tenant_id,
            event_id=accepted.event_id,
            event_type=event.event_type,
            duplicate=accepted.duplicate,
            trace_id=event.trace_id,
        )
        if accepted.differs:
            log.warning("repeat_differs", tenant_id=tenant_id, event_id=accepted.event_id, trace_id=event.trace_id)
            self._repeats.differs(tenant_id, accepted.event_id, event.event_type)
        return accepted


def _add_receipt(answer: ingest_pb2.Accepted | ingest_pb2.TriggerEventResponse, accepted: Accepted) -> None:
    """Tell what is sent to endpoints and what is not, and which workflows start."""
    for endpoint_id, delivery_id in accepted.deliveries:
        answer.deliveries.add(endpoint_id=endpoint_id, delivery_id=delivery_id)
    for failure in accepted.failures:
        answer.failures.add(endpoint_id=failure.endpoint_id, reason=failure.reason, detail=failure.detail)
    for workflow_id, version in accepted.workflows:
        answer.workflows.add(workflow_id=workflow_id, version=version)
