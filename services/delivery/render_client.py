"""Client of the render service: renders waiting deliveries together."""

import dataclasses

import grpc.aio

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2, render_pb2_grpc
from runtime import tracing
from runtime.batching import GROUPED, Batcher, BatchLimits
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller
from services.domain import direct_messages

DEADLINE_S = 10.0
_MAX_ITEMS = 128
# The response had no room for this content; see RenderFailure.reason.
_ANSWER_FULL = "answer_full"
# Rendering had no time for this content: only this delivery is deferred.
_NO_TURN = "no_turn"

# A delivery, and the span that it is rendered for.
_Item = tuple[event_pb2.Delivery, str]


class RenderClient:
    """Collects waiting deliveries into RenderBatch calls."""

    def __init__(self, connection: grpc.aio.Channel, caller: Caller) -> None:
        self._stub = render_pb2_grpc.RenderServiceStub(connection)
        self._caller = caller
        self._batcher: Batcher[_Item, render_pb2.RenderResult] = Batcher(
            self._flush,
            BatchLimits(items=_MAX_ITEMS, bytes=4 * 1024 * 1024),
            dataclasses.replace(GROUPED, concurrency=2),
            size=lambda item: _size(item[0]),
        )

    async def render(self, delivery: event_pb2.Delivery) -> render_pb2.RenderResult:
        """Return the delivery's content, or its failure. Raises ClarionError if render does not answer."""
        return await self._batcher.enqueue((delivery, tracing.traceparent()))

    async def _flush(self, items: list[_Item]) -> list[render_pb2.RenderResult | BaseException]:
        return [_late() if result.failure.reason == _NO_TURN else result for result in await self._all(items)]

    async def _all(self, items: list[_Item]) -> list[render_pb2.RenderResult]:
        results = await self._ask(items)
        left = [index for index, result in enumerate(results) if result.failure.reason == _ANSWER_FULL]
        if left and len(left) < len(items):  # each response holds some of them, so this ends
            rest = await self._all([items[index] for index in left])
            for index, result in zip(left, rest, strict=True):
                results[index] = result
        return results

    async def _ask(self, items: list[_Item]) -> list[render_pb2.RenderResult]:
        request = render_pb2.RenderBatchRequest(partial=True)
        # Deliveries of one event have the same content: it is sent once.
        places: dict[str, int] = {}
        for delivery, traceparent in items:
            item = request.items.add(
                template_version_id=delivery.template_version_id,
                variables=delivery.variables,
                fallback=delivery.payload_extra,
                traceparent=traceparent,
            )
            if delivery.workflow_id or delivery.HasField("direct"):
                item.contact.CopyFrom(delivery.recipient)
            if delivery.template_version_id:
                continue
            if delivery.event_id not in places:
                request.templates.append(_unsaved(delivery))
                places[delivery.event_id] = len(request.templates)
            item.unsaved_template = places[delivery.event_id]
        answer = await self._caller(self._stub.RenderBatch, request, deadline=DEADLINE_S)
        return list(answer.results)


def _unsaved(delivery: event_pb2.Delivery) -> render_pb2.UnsavedTemplate:
    content = delivery.direct.content_given
    return render_pb2.UnsavedTemplate(
        channel=delivery.channel, subject=content.subject, body=content.body, text=content.text
    )


def _size(delivery: event_pb2.Delivery) -> int:
    size = len(delivery.variables) + len(delivery.payload_extra) + 100
    if delivery.HasField("direct"):
        size += direct_messages.content_size(delivery.direct)
    return size + len(delivery.recipient.data)


def _late() -> ClarionError:
    return ClarionError(Code.OVERLOADED, "Rendering is overloaded; try again shortly.", retry_after=1)
