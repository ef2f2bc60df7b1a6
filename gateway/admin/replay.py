"""Replays: sending one event again, or all events of a tenant since a time."""

from typing import Annotated, Any

from aiohttp import web
from msgspec import Meta, field

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.ingest.v1 import replays_pb2
from gateway.admin import forms
from gateway.admin.forms import UserId
from gateway.clients import Clients
from gateway.observing import EVENT_ID, TENANT_ID
from gateway.replies import json_reply
from services.domain import statuses

ALL = "all"
STATES = {
    replays_pb2.REPLAY_STATE_RUNNING: "running",
    replays_pb2.REPLAY_STATE_DONE: "done",
    replays_pb2.REPLAY_STATE_CANCELLED: "cancelled",
    replays_pb2.REPLAY_STATE_PAUSED: "paused",
}
STATUSES = {
    ALL: trace_pb2.DELIVERY_STATUS_UNSPECIFIED,
    **{statuses.name(number): number for number in statuses.REPLAYABLE},
}
_NAMES = {number: name for name, number in STATUSES.items()}

Moment = Annotated[str, Meta(examples=["2026-04-22T12:00:00Z"])]


PerSecond = Annotated[int, Meta(ge=1, le=1000)]
Name = Annotated[str, Meta(min_length=1, max_length=255)]


class EventReplayBody(forms.Body):
    """The body of POST /events/{id}/replay.

    channels: some of those that the event asked for; empty: all of them. recipients: user ids of some of its
    recipients; empty: the whole audience.
    """

    channels: list[forms.Channel] = field(default_factory=list)
    recipients: Annotated[list[UserId], Meta(max_length=100)] = field(default_factory=list)


class NewReplayBody(forms.Body):
    """The body of POST /replays. until: now if it is absent."""

    tenant_id: forms.Id
    since: Moment
    until: Moment | None = None
    status: Annotated[str, Meta(extra_json_schema={"enum": list(STATUSES)})] = ALL
    per_second: PerSecond = 50
    # Only events of this type, or what was for this endpoint.
    event_type: Name | None = None
    endpoint_id: forms.Id | None = None
    # Only deliveries on this channel, with this reason, of this kind of provider: with a status.
    channel: forms.Channel | None = None
    reason: Name | None = None
    provider: Name | None = None


class ReplayRoutes:
    """Handlers that ask ingest."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def replay_event(self, request: web.Request) -> web.Response:
        """Replay one event as a new event."""
        event_id = forms.path_id(request)
        body = await forms.read(request, EventReplayBody)
        wire = replays_pb2.ReplayEventRequest(
            event_id=event_id, channels=forms.channels(body.channels, "channels"), recipients=body.recipients
        )
        answer = await self._clients.call(self._clients.replays.ReplayEvent, wire)
        request[EVENT_ID], request[TENANT_ID] = answer.event_id, answer.tenant_id
        return json_reply({"event_id": answer.event_id, "replay_of": event_id}, status=202)

    async def start(self, request: web.Request) -> web.Response:
        """Start a background replay of all events since a time."""
        body = await forms.read(request, NewReplayBody)
        request[TENANT_ID] = body.tenant_id
        if body.status not in STATUSES:
            raise forms.invalid("status", f"must be one of {', '.join(STATUSES)}")
        wire = replays_pb2.StartReplayRequest(
            tenant_id=body.tenant_id,
            since_us=forms.moment(body.since, "since"),
            until_us=forms.moment(body.until, "until") if body.until is not None else 0,
            status=STATUSES[body.status],
            per_second=body.per_second,
            event_type=body.event_type or "",
            endpoint_id=body.endpoint_id or "",
            channel=forms.channel(body.channel) if body.channel else event_pb2.CHANNEL_UNSPECIFIED,
            reason=body.reason or "",
            provider=body.provider or "",
        )
        answer = await self._clients.call(self._clients.replays.StartReplay, wire)
        return json_reply(shown(answer.replay), status=202)

    async def list_all(self, request: web.Request) -> web.Response:
        """List replays, newest first."""
        wire = replays_pb2.ListReplaysRequest(
            **forms.scope(request),
            limit=forms.limit(request),
            cursor=forms.cursor(request),
        )
        answer = await self._clients.call(self._clients.replays.ListReplays, wire)
        return json_reply(forms.page(request, [shown(replay) for replay in answer.replays], answer.next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """Return a replay with its progress."""
        wire = replays_pb2.GetReplayRequest(replay_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.replays.GetReplay, wire)
        return json_reply(shown(answer.replay))

    async def cancel(self, request: web.Request) -> web.Response:
        """Cancel a replay."""
        wire = replays_pb2.CancelReplayRequest(replay_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.replays.CancelReplay, wire)
        request[TENANT_ID] = answer.replay.tenant_id
        return json_reply(shown(answer.replay))

    async def pause(self, request: web.Request) -> web.Response:
        """Hold a replay."""
        wire = replays_pb2.PauseReplayRequest(replay_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.replays.PauseReplay, wire)
        request[TENANT_ID] = answer.replay.tenant_id
        return json_reply(shown(answer.replay))

    async def resume(self, request: web.Request) -> web.Response:
        """Let a paused replay go on."""
        wire = replays_pb2.ResumeReplayRequest(replay_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.replays.ResumeReplay, wire)
        request[TENANT_ID] = answer.replay.tenant_id
        return json_reply(shown(answer.replay))


def shown(replay: replays_pb2.Replay) -> dict[str, Any]:
    """Return a replay as the API shows it."""
    return {
        "id": replay.id,
        "tenant_id": replay.tenant_id,
        "since": forms.iso(replay.since_us),
        "until": forms.iso(replay.until_us),
        "of": "dead_letters" if replay.dead_letters else "events",
        "status": None if replay.dead_letters else _NAMES.get(replay.status, ALL),
        "endpoint_id": replay.endpoint_id or None,
        "event_type": replay.event_type or None,
        "channel": forms.channel_name(replay.channel),
        "reason": replay.reason or None,
        "provider": replay.provider or None,
        "per_second": replay.per_second,
        "state": STATES.get(replay.state, "running"),
        "waiting": replay.waiting or None,
        "found": replay.found or None,
        "replayed": replay.replayed,
        "unplayable": replay.unplayable,
        "position": forms.iso(replay.position_us),
        "created_at": forms.iso(replay.created_at_us),
        "finished_at": forms.iso(replay.finished_at_us),
    }
