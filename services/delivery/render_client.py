"""Client of the render service: renders waiting deliveries together."""

import dataclasses

import grpc.aio

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2, render_pb2_grpc
from runtime import tracing
from runtime.batching import GROUPED, Batcher, BatchLimits
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller

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
            size=lambda item: len(item[0].variables) + len(item[0].payload_extra) + 100,
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
        request = render_pb2.RenderBatchRequest(
            items=[
                render_pb2.RenderItem(
                    template_version_id=delivery.template_version_id,
                    variables=delivery.variables,
                    fallback=delivery.payload_extra,
                    traceparent=traceparent,
                )
                for delivery, traceparent in items
            ],
            partial=True,
        )
        answer = await self._caller(self._stub.RenderBatch, request, deadline=DEADLINE_S)
        return list(answer.results)


def _late() -> ClarionError:
    return ClarionError(Code.OVERLOADED, "Rendering is overloaded; try again shortly.", retry_after=1)
