"""Dead letters: what died after its last attempt, by what it was for, and sending it again."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, field

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ledger_pb2, replays_pb2
from gateway.admin import forms, replay
from gateway.clients import Clients
from gateway.observing import TENANT_ID
from gateway.replies import json_reply
from services.domain import reasons

# Up to here the ledger counts.
_COUNTED = 10_000


class MatchingDeadLettersBody(forms.Body):
    """The body of POST /dead-letters/replay: which dead letters are sent again. What is absent matches any."""

    tenant_id: forms.OptionalId = ""
    tenant_ids: Annotated[list[forms.Id], Meta(max_length=100)] = field(default_factory=list)
    channel: forms.Channel | None = None
    reason: replay.Name | None = None
    provider: replay.Name | None = None
    event_type: replay.Name | None = None
    endpoint_id: forms.Id | None = None
    since: replay.Moment | None = None
    until: replay.Moment | None = None
    per_second: replay.PerSecond = 50


class DeadLetterRoutes:
    """Handlers that ask ingest."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def list_all(self, request: web.Request) -> web.Response:
        """List dead letters, newest first."""
        wire = ledger_pb2.ListDeadLettersRequest(
            **forms.scope(request),
            filter=_filter(request),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.ledger.ListDeadLetters, wire)
        return json_reply(forms.page(request, [shown(letter) for letter in answer.dead_letters], answer.next_cursor))

    async def count(self, request: web.Request) -> web.Response:
        """Return how many dead letters match, and how many of each reason."""
        wire = ledger_pb2.ListDeadLettersRequest(**forms.scope(request), filter=_filter(request), limit=1)
        wire.count = wire.count_reasons = True
        answer = await self._clients.call(self._clients.ledger.ListDeadLetters, wire)
        return json_reply(
            {
                "count": min(answer.total, _COUNTED),
                "more": answer.total > _COUNTED,
                "reasons": [
                    {"reason": one.reason, "text": reasons.text_of(one.reason), "count": one.count}
                    for one in answer.reasons
                ],
            }
        )

    async def replay(self, request: web.Request) -> web.Response:
        """Replay a dead letter from its first attempt."""
        delivery_id = forms.path_id(request)
        wire = ledger_pb2.ReplayDeadLetterRequest(delivery_id=delivery_id)
        await self._clients.call(self._clients.ledger.ReplayDeadLetter, wire)
        return json_reply({"delivery_id": delivery_id, "replayed": True}, status=202)

    async def replay_matching(self, request: web.Request) -> web.Response:
        """Replay all dead letters that match, in the background."""
        body = await forms.read(request, MatchingDeadLettersBody)
        if body.tenant_id:
            request[TENANT_ID] = body.tenant_id
        if body.tenant_id and body.tenant_ids:
            raise forms.invalid("tenant_ids", "must be absent where there is a tenant_id")
        wire = replays_pb2.StartDeadLetterReplaysRequest(
            filter=ledger_pb2.DeadLetterFilter(
                tenant_ids=[body.tenant_id] if body.tenant_id else body.tenant_ids,
                channel=forms.channel(body.channel) if body.channel else event_pb2.CHANNEL_UNSPECIFIED,
                reason=body.reason or "",
                provider=body.provider or "",
                event_type=body.event_type or "",
                endpoint_id=body.endpoint_id or "",
                since_us=forms.moment(body.since, "since") if body.since is not None else 0,
                until_us=forms.moment(body.until, "until") if body.until is not None else 0,
            ),
            per_second=body.per_second,
        )
        answer = await self._clients.call(self._clients.replays.StartDeadLetterReplays, wire)
        return json_reply({"replays": [replay.shown(one) for one in answer.replays]}, status=202)


def _filter(request: web.Request) -> ledger_pb2.DeadLetterFilter:
    """Return the filter in the query, without tenant_id."""
    channel = forms.text(request, "channel")
    return ledger_pb2.DeadLetterFilter(
        tenant_ids=forms.uuids(request, "tenant_ids"),
        channel=forms.channel(channel) if channel else event_pb2.CHANNEL_UNSPECIFIED,
        reason=forms.text(request, "reason"),
        provider=forms.text(request, "provider"),
        event_type=forms.text(request, "event_type"),
        endpoint_id=forms.uuid(request, "endpoint_id"),
        since_us=forms.micros(request, "since"),
        until_us=forms.micros(request, "until"),
    )


def shown(letter: ledger_pb2.DeadLetter) -> dict[str, Any]:
    """Return a dead letter as the API shows it."""
    return {
        "delivery_id": letter.delivery_id,
        "event_id": letter.event_id,
        "tenant_id": letter.tenant_id,
        "event_type": letter.event_type or None,
        "channel": forms.channel_name(letter.channel),
        "endpoint_id": letter.endpoint_id or None,
        "provider": letter.provider or None,
        "reason": letter.reason,
        "text": reasons.text_of(letter.reason),
        "detail": letter.detail or None,
        "died_at": forms.iso(letter.died_at_us),
    }
