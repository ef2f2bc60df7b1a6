"""POST /api/v1/events/trigger."""

from aiohttp import web

from gateway import queries
from gateway.accepting import TriggerBatcher
from gateway.authentication import CachedAuthenticator
from gateway.dialects.orqestra import bodies
from gateway.dialects.orqestra.credentials import api_key
from gateway.dialects.orqestra.errors import TENANT_NAME, answers
from gateway.dialects.orqestra.signature import HEADER, is_signed, refusal
from gateway.observing import EVENT_ID, TENANT_ID
from gateway.replies import json_reply, read_json_bytes
from runtime import telemetry
from services.domain.credentials import check_endpoint, scope_of


class TriggerRoutes:
    """The handler for new events."""

    def __init__(self, authenticator: CachedAuthenticator, acceptor: TriggerBatcher) -> None:
        self._authenticator = authenticator
        self._acceptor = acceptor

    @answers
    async def trigger(self, request: web.Request) -> web.StreamResponse:
        """Answer 200 once the event is stored. A repeated call gets the first response, and a header that says so."""
        tenant = await self._authenticator.tenant(request, api_key(request))
        request[TENANT_ID] = tenant.id
        request[TENANT_NAME] = tenant.name or tenant.id
        raw = await read_json_bytes(request, limit=bodies.MAX_BODY_BYTES)
        shown = request.headers.get(HEADER, "")
        if tenant.webhook_secrets and not is_signed(raw, shown, tenant.webhook_secrets):
            raise self._authenticator.attempts.refusal(request, refusal(shown))
        queries.check(request)
        event = bodies.parse_trigger(raw)
        event.idempotency_key = bodies.parse_idempotency_key(request.headers)
        event.scope = scope_of("", tenant.scopes)
        check_endpoint("", tenant.endpoint_ids)
        event.key_id = tenant.key_id
        event.trace_id = telemetry.current_trace()
        accepted = await self._acceptor.accept(tenant.id, event)
        request[EVENT_ID] = accepted.event_id
        # An ingest of the previous version sends no type.
        event_type = accepted.first_type or event.event_type
        message = f"Event {event_type} dispatched securely for {tenant.name}"
        headers = {"X-Event-Id": accepted.event_id}
        if accepted.duplicate:
            headers["Idempotent-Replayed"] = "true"
        return json_reply({"success": True, "message": message}, headers=headers)
