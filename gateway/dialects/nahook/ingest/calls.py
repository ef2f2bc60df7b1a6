"""POST /api/ingest/…: the handlers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from clarion.common.v1 import error_pb2
from clarion.ingest.v1 import ingest_pb2
from gateway import queries
from gateway.authentication import AuthenticatedTenant
from gateway.dialects import Backend
from gateway.dialects.nahook import bodies, ids, limits
from gateway.dialects.nahook.credentials import check_endpoint, check_fans_out, ingest_key
from gateway.dialects.nahook.errors import fault_of, perhaps_accepted
from gateway.dialects.nahook.ingest import events, receipts
from gateway.observing import EVENT_ID
from gateway.replies import json_reply, read_json_bytes
from runtime import clock, telemetry
from runtime.errors import ClarionError, Code
from services.domain.credentials import scope_of

# An event that is not stored by then is given up, in microseconds: so that the answer comes within 5 s.
ANSWER_WITHIN_US = 4_500_000
# Larger bodies take milliseconds to parse: not in the loop, where every other request would wait.
LARGE_BYTES = 64 * 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who sends. answer_by_us: of all events of the call."""

    key: AuthenticatedTenant
    answer_by_us: int


@dataclass(frozen=True, slots=True)
class _Answer:
    body: dict[str, Any]
    accepted: ingest_pb2.Accepted


class IngestRoutes:
    """Handlers of the ingest API. They raise errors; the routes turn these into answers."""

    def __init__(self, backend: Backend) -> None:
        self._authenticator = backend.authenticator
        self._acceptor = backend.acceptor

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Send a payload to one endpoint. The same key again: the same delivery."""
        caller, raw = await self._read(request, events.MAX_BODY_BYTES)
        answer = await self._send(caller, request.match_info["endpoint_id"], await _parsed(events.send_body, raw))
        return self._single(request, answer)

    async def trigger(self, request: web.Request) -> web.StreamResponse:
        """Send a payload to every active endpoint that subscribes to a type."""
        caller, raw = await self._read(request, events.MAX_BODY_BYTES, fans_out=True)
        answer = await self._trigger(caller, request.match_info["event_type"], await _parsed(events.trigger_body, raw))
        return self._single(
            request, _Answer(answer.body | {"failures": receipts.failures(answer.accepted)}, answer.accepted)
        )

    async def send_batch(self, request: web.Request) -> web.StreamResponse:
        """Send up to 20 payloads, each to its endpoint."""
        caller, raw = await self._read(request, events.MAX_BATCH_BYTES)

        async def one(item: bytes) -> _Answer:
            body = bodies.convert(item, events.SendItemBody)
            return await self._send(caller, body.endpoint_id, body)

        return await _batch(await _parsed(events.batch_items, raw), one)

    async def trigger_batch(self, request: web.Request) -> web.StreamResponse:
        """Trigger up to 20 event types."""
        caller, raw = await self._read(request, events.MAX_BATCH_BYTES, fans_out=True)

        async def one(item: bytes) -> _Answer:
            body = bodies.convert(item, events.TriggerItemBody)
            answer = await self._trigger(caller, body.event_type, body)
            failures = receipts.failures(answer.accepted)
            return _Answer(answer.body | ({"failures": failures} if failures else {}), answer.accepted)

        return await _batch(await _parsed(events.batch_items, raw), one)

    async def _read(self, request: web.Request, limit: int, *, fans_out: bool = False) -> tuple[_Caller, bytes]:
        key = await ingest_key(self._authenticator, request)
        if fans_out:
            check_fans_out(key)
        raw = await read_json_bytes(request, limit=limit)
        queries.check(request)
        return _Caller(key, clock.now_us() + ANSWER_WITHIN_US), raw

    async def _send(self, caller: _Caller, public_id: str, body: events.SendBody) -> _Answer:
        endpoint_id = ids.private(ids.ENDPOINT, public_id)
        check_endpoint(caller.key, endpoint_id)
        event, key = events.to_endpoint(endpoint_id, body)
        accepted = await self._accept(caller, event, repeatable=body.idempotency_key is not None)
        return _Answer(receipts.sent(accepted, key), accepted)

    async def _trigger(self, caller: _Caller, event_type: str, body: events.TriggerBody) -> _Answer:
        event = events.to_subscribers(event_type, body)
        accepted = await self._accept(caller, event, repeatable=False)
        return _Answer(receipts.triggered(accepted, caller.key.id, event_type), accepted)

    async def _accept(self, caller: _Caller, event: ingest_pb2.NewEvent, *, repeatable: bool) -> ingest_pb2.Accepted:
        """Return once the event is stored. repeatable: the caller has a key by which a repeat is recognized."""
        event.scope = scope_of("", caller.key.scopes)
        event.key_id = caller.key.key_id
        event.trace_id = telemetry.current_trace()
        event.answer_by_us = caller.answer_by_us
        try:
            return await self._acceptor.accept(caller.key.id, event)
        except ClarionError as error:
            if error.code is Code.UNAVAILABLE and not repeatable:
                raise perhaps_accepted(error) from None
            raise

    @staticmethod
    def _single(request: web.Request, answer: _Answer) -> web.Response:
        request[EVENT_ID] = answer.accepted.event_id
        return json_reply(answer.body, status=202, headers=limits.headers(answer.accepted.limits))


async def _parsed(parse: Callable[[bytes], T], raw: bytes) -> T:
    return await asyncio.to_thread(parse, raw) if len(raw) > LARGE_BYTES else parse(raw)


async def _batch(items: Sequence[bytes], one: Callable[[bytes], Awaitable[_Answer]]) -> web.Response:
    """Answer 202 if each item was accepted, else 207; one item's error is none of the others'."""
    results = await asyncio.gather(*(one(item) for item in items), return_exceptions=True)
    shown: list[dict[str, Any]] = []
    headers: dict[str, str] = {}
    states: list[error_pb2.LimitState] = []
    for index, result in enumerate(results):
        if isinstance(result, _Answer):
            shown.append({"index": index, **result.body})
            states += result.accepted.limits
        else:
            fault = fault_of(result)
            shown.append({"index": index, "error": fault.body()})
            headers = headers or fault.headers
    failed = any("error" in item for item in shown)
    return json_reply({"items": shown}, status=207 if failed else 202, headers=limits.headers(states) | headers)
