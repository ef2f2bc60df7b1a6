"""POST /messages/send and /sms/send: the handlers."""

from typing import Any

from aiohttp import web

from clarion.common.v1 import event_pb2
from gateway.dialects.sendmator import times
from gateway.dialects.sendmator.calls import Call
from gateway.dialects.sendmator.errors import NO_WHATSAPP, bad_request
from gateway.dialects.sendmator.events.calls import check_segments, queued
from gateway.dialects.sendmator.events.events import When, when_of
from gateway.dialects.sendmator.messages.messages import message_of
from gateway.replies import json_reply
from runtime import clock


def sending(channel: "event_pb2.Channel.ValueType") -> Any:
    """Return the handler that sends on a channel."""

    async def send(call: Call) -> web.Response:
        body = await call.body()
        when = when_of(body, call.backend.now())
        event = message_of(body, call.caller, channel, when)
        await check_segments(call, event)
        accepted = await call.accept(event)
        answer = {
            **queued("Message", accepted, When(event.due_at_us)),
            "execution_id": accepted.event_id,
            "status": "queued",
            "recipient_type": body.text("recipient_type"),
            "created_at": times.iso(clock.now_us()),
        }
        return json_reply({**answer, "data": answer}, status=201)

    return send


async def whatsapp(_: Call) -> web.Response:
    """Refuse: there is no such channel here, so there are no executions of it either."""
    raise bad_request(f"{NO_WHATSAPP}: use POST /api/v1/sms/send or POST /api/v1/messages/send")
