"""Asks the router for endpoints that this process's copy does not have."""

import asyncio
import time
from collections import OrderedDict

import grpc.aio

from clarion.router.v1 import endpoints_pb2, endpoints_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller, is_unimplemented
from services.ingest.endpoints.ports import OwnedEndpoint

# The service that stores and publishes endpoints and workflows.
OWNER = "router"
# How long an answer is used, seconds: until then the copy has an endpoint that exists.
_FRESH_S = 1.0
_MAX_ANSWERS = 10_000
_DEADLINE_S = 1.0
# Endpoints that the router is asked for at a time, and that wait for a turn.
_MAX_ASKED = 32
_MAX_WAITING = 96

_Key = tuple[str, str]


class RouterEndpoints:
    """Implements ports.EndpointOwner. Callers that ask for the same endpoint share a call.

    router: None: nobody can be asked.
    """

    def __init__(self, router: grpc.aio.Channel | None, caller: Caller) -> None:
        self._stub = endpoints_pb2_grpc.EndpointServiceStub(router) if router is not None else None
        self._caller = caller
        self._answers: OrderedDict[_Key, tuple[float, OwnedEndpoint | None]] = OrderedDict()
        self._asking: dict[_Key, asyncio.Task[OwnedEndpoint | None]] = {}
        self._turns = asyncio.Semaphore(_MAX_ASKED)

    async def endpoint(self, tenant_id: str, endpoint_id: str) -> OwnedEndpoint | None:
        """See ports.EndpointOwner."""
        key = (tenant_id, endpoint_id)
        answer = self._answers.get(key)
        if answer is not None and time.monotonic() < answer[0]:
            return answer[1]
        task = self._asking.get(key)
        if task is None:
            if len(self._asking) >= _MAX_ASKED + _MAX_WAITING:
                raise ClarionError(Code.OVERLOADED, "Too many unknown endpoints are looked up.", retry_after=1)
            task = self._asking[key] = asyncio.create_task(self._ask(key))
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)  # a caller that gives up must not cancel the others' call

    async def _ask(self, key: _Key) -> OwnedEndpoint | None:
        if self._stub is None:
            raise _away()
        request = endpoints_pb2.GetEndpointRequest(tenant_id=key[0], endpoint_id=key[1])
        async with self._turns:
            try:
                answer = await self._caller(self._stub.GetEndpoint, request, deadline=_DEADLINE_S)
            except ClarionError as error:
                if error.code is Code.UNAVAILABLE or is_unimplemented(error):
                    raise _away() from error
                if error.code is not Code.NOT_FOUND:
                    raise
                found = None
            else:
                found = OwnedEndpoint(answer.endpoint.environment_id, answer.endpoint.active)
        self._answers[key] = (time.monotonic() + _FRESH_S, found)
        self._answers.move_to_end(key)
        if len(self._answers) > _MAX_ANSWERS:
            self._answers.popitem(last=False)
        return found

    def _forget(self, key: _Key, done: "asyncio.Task[OwnedEndpoint | None]") -> None:
        del self._asking[key]
        if not done.cancelled():
            done.exception()  # marks it as seen: its callers may all have given up


def _away() -> ClarionError:
    return ClarionError(
        Code.UNAVAILABLE, "The endpoint is not known here, and whoever stores endpoints does not answer.", retry_after=1
    )
