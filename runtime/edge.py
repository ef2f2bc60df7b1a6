"""The interceptor of every gRPC server: authentication, size limits, deadlines and error mapping.

The caller is authenticated by the call's metadata, before its message is read: a handler that never asks for the
message leaves it with the sender, beyond the few KB that HTTP/2's flow control lets through. A method that callers
without the services' token may use reads its message only when the caller has a turn, within a few seconds.
"""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, status_pb2
from prometheus_client import Histogram

from clarion.common.v1 import error_pb2
from runtime import logs, telemetry, tracing
from runtime.errors import ClarionError, Code
from runtime.gate import Gate

TOKEN_METADATA = "x-clarion-token"  # noqa: S105 - its name, not its value
KEY_METADATA = "x-api-key"

# A callee reports its own timeout this much before the caller's deadline, so the reason is not lost.
DEADLINE_MARGIN_S = 0.05
# The size limit of a method's message, bytes, unless its servicer's MAX_BYTES has another one.
DEFAULT_MAX_BYTES = 256 * 1024
# The size limit for health and reflection: a message is a name.
_MAX_OPEN_BYTES = 4 * 1024
# The detail of an error, and all of it, as it crosses the wire, bytes: metadata may have 8 KiB, and the detail is there
# three times, once in a form that takes up to three times as many bytes.
_DETAIL_BYTES, _ERROR_BYTES = 1_000, 4_000
# How long a caller without the services' token may take to send its message, seconds.
_READ_S = 5.0
# How long such a caller may use reflection, seconds.
_REFLECTION_S = 60.0

_HEALTH, _REFLECTION = "/grpc.health.v1.Health/", "/grpc.reflection."
# Methods of the server itself: no spans are made for them.
UNTRACED = (_HEALTH, _REFLECTION)
_TO_STATUS = {
    Code.INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Code.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Code.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    Code.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Code.CONFLICT: grpc.StatusCode.ABORTED,
    Code.LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Code.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Code.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Code.INTERNAL: grpc.StatusCode.INTERNAL,
    Code.TIMEOUT: grpc.StatusCode.DEADLINE_EXCEEDED,
}

_SECONDS = Histogram(
    "clarion_grpc_seconds",
    "How long a call took here, answered or refused.",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

log = logs.get(__name__)

Context = grpc.aio.ServicerContext[Any, Any]
# Raises ClarionError for an API key that may not call.
CheckKey = Callable[[str], Awaitable[object]]


class Edge(grpc.aio.ServerInterceptor):
    """Authenticates callers, limits calls, sets the trace id and maps errors, for every method.

    open_methods: the full names of those that take an API key in place of the token, and what checks it.
    max_bytes: of methods, by full name, whose message may have more or less than DEFAULT_MAX_BYTES.
    """

    def __init__(self, token: str, open_methods: Mapping[str, CheckKey], max_bytes: Mapping[str, int]) -> None:
        self._token = token.encode()
        self._open_methods = open_methods
        self._max_bytes = max_bytes
        self._handlers: dict[str, Any] = {}
        # Messages read at the same time, each as large as the server's largest limit: of callers with an API key, by
        # key; of callers without credentials, by peer address.
        self._by_key = Gate(per_caller=4, total=24, waiting=252)
        self._open = Gate(per_caller=4, total=16, waiting=28)
        # Open streams, by peer address.
        self._watches = Gate(per_caller=16, total=256)
        self._reflections = Gate(per_caller=2, total=8, waiting=6)
        # Streams of services, by peer address: several gateways may have one.
        self._streams = Gate(per_caller=64, total=256)
        # Set when the server stops: streams end then, because nobody would wait for the end of those without one.
        self.stopping = asyncio.Event()

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        """Return the method's handler; for a caller without permission, one that refuses and reads nothing."""
        method: str = details.method
        handler = self._handlers.get(method)
        if handler is None:
            found = await continuation(details)
            if found is None:  # not remembered: callers invent as many names as they like
                return None
            handler = self._handlers[method] = self._bounded(method, found)
        if method.startswith(UNTRACED):
            return handler
        try:
            if (check := self._open_methods.get(method)) is not None:
                await check(_value(details.invocation_metadata, KEY_METADATA))
            else:
                self._authenticate(_value(details.invocation_metadata, TOKEN_METADATA))
        except ClarionError as error:
            return _refusal(method, error)
        except Exception:
            log.exception("rpc_failed", method=method)
            return _refusal(method, ClarionError(Code.INTERNAL, "An internal error; see the service's log."))
        return handler

    def _authenticate(self, shown: str) -> None:
        if not hmac.compare_digest(shown.encode(), self._token):
            raise ClarionError(Code.UNAUTHENTICATED, "The services' shared token is missing or wrong.")

    def _bounded(self, method: str, found: Any) -> Any:
        if method.startswith(_REFLECTION) and found.stream_stream is not None:
            return self._reflection(found)
        if method.startswith(_HEALTH):
            return self._health_watch(found) if found.response_streaming else self._health_check(method, found)
        max_bytes = self._max_bytes.get(method, DEFAULT_MAX_BYTES)
        if found.unary_stream is not None and method not in self._open_methods:
            return self._stream(method, found, max_bytes)
        if found.unary_unary is None:
            raise NotImplementedError(f"{method}: only methods with one request are bounded.")

        async def answer(raw: bytes, context: Context) -> Any:
            return await found.unary_unary(_parsed(raw, found.request_deserializer, max_bytes), context)

        if method not in self._open_methods:
            return grpc.unary_unary_rpc_method_handler(
                _edged(method, answer), response_serializer=found.response_serializer
            )

        async def read_and_answer(_: object, context: Context) -> Any:
            async with self._by_key.enter(metadata_value(context, KEY_METADATA)):
                raw = await _read(context, max_bytes)
            return await answer(raw, context)

        return grpc.stream_unary_rpc_method_handler(
            _edged(method, read_and_answer), response_serializer=found.response_serializer
        )

    def _stream(self, method: str, found: Any, max_bytes: int) -> Any:
        """Return the handler of a method of a service that answers until its caller, or this server, ends the call."""

        async def stream(raw: bytes, context: Context) -> None:
            async with self._streams.enter(_address(context)):
                async for answer in found.unary_stream(_parsed(raw, found.request_deserializer, max_bytes), context):
                    await context.write(answer)

        async def until_stopped(raw: bytes, context: Context) -> None:
            work = asyncio.ensure_future(stream(raw, context))
            stopped = asyncio.ensure_future(self.stopping.wait())
            try:
                await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    raise ClarionError(Code.UNAVAILABLE, "The service is stopping. Call again.", retry_after=1)
                await work
            finally:
                await _end(work, stopped)

        return grpc.unary_stream_rpc_method_handler(
            _edged(method, until_stopped, is_timed=False), response_serializer=found.response_serializer
        )

    def _health_check(self, method: str, found: Any) -> Any:
        async def check(_: object, context: Context) -> Any:
            async with self._open.enter(_address(context)):
                raw = await _read(context, _MAX_OPEN_BYTES)
            return await found.unary_unary(_parsed(raw, found.request_deserializer, _MAX_OPEN_BYTES), context)

        return grpc.stream_unary_rpc_method_handler(
            _edged(method, check), response_serializer=found.response_serializer
        )

    def _health_watch(self, found: Any) -> Any:
        async def watch(_: object, context: Context) -> None:
            async with _aborting(context), self._watches.enter(_address(context)):
                async with self._open.enter(_address(context)):
                    raw = await _read(context, _MAX_OPEN_BYTES)
                await found.unary_stream(_parsed(raw, found.request_deserializer, _MAX_OPEN_BYTES), context)

        return grpc.stream_stream_rpc_method_handler(watch, response_serializer=found.response_serializer)

    def _reflection(self, found: Any) -> Any:
        async def reflect(_: object, context: Context) -> None:
            async def requests() -> AsyncIterator[Any]:
                while (raw := await context.read()) is not grpc.aio.EOF:
                    yield _parsed(raw, found.request_deserializer, _MAX_OPEN_BYTES)

            caller = _address(context)
            async with _aborting(context), asyncio.timeout(_REFLECTION_S), self._reflections.enter(caller):
                async for answer in found.stream_stream(requests(), context):
                    await context.write(answer)

        return grpc.stream_stream_rpc_method_handler(reflect, response_serializer=found.response_serializer)


def metadata_value(context: Context, name: str) -> str:
    """Return a value of the call's metadata; empty if it is missing or not text."""
    return _value(context.invocation_metadata() or (), name)


async def abort(context: Context, error: ClarionError) -> NoReturn:
    """End a call with a typed error; see runtime.grpc.from_rpc_error."""
    status, fitting = _TO_STATUS[error.code], _fitting(error)
    wire = status_pb2.Status(code=code_pb2.Code.Value(status.name), message=fitting.detail)
    wire.details.add().Pack(fitting)
    metadata: Sequence[tuple[str, bytes]] = (("grpc-status-details-bin", wire.SerializeToString()),)
    await context.abort(status, fitting.detail, metadata)


def _fitting(error: ClarionError) -> error_pb2.Error:
    """Return the error as it crosses the wire; of one that is too large the beginning, for else none of it would."""
    wire = error.to_proto()
    if len(detail := wire.detail.encode()) > _DETAIL_BYTES:
        wire.detail = detail[:_DETAIL_BYTES].decode(errors="ignore") + "…"
    while wire.fields and wire.ByteSize() > _ERROR_BYTES:
        del wire.fields[-1]
    return wire


def _edged(
    method: str, answer: Callable[[Any, Context], Awaitable[Any]], *, is_timed: bool = True
) -> Callable[[Any, Context], Awaitable[Any]]:
    """Return the method with a trace id, deadline and error mapping. is_timed: its duration is measured."""

    async def edge(request: Any, context: Context) -> Any:
        started = time.perf_counter()
        telemetry.bind_trace(metadata_value(context, telemetry.TRACE_METADATA) or tracing.trace_id())
        try:
            remaining = context.time_remaining()
            budget = None if remaining is None else max(remaining - DEADLINE_MARGIN_S, 0.001)
            async with asyncio.timeout(budget):
                return await answer(request, context)
        except ClarionError as error:
            log.info("rpc_refused", method=method, code=error.code.name, detail=error.detail)
            await abort(context, error)
        except TimeoutError:
            log.warning("rpc_timeout", method=method, seconds=round(time.perf_counter() - started, 3))
            await abort(context, ClarionError(Code.UNAVAILABLE, "The call took too long. Try again.", retry_after=1))
        except (grpc.aio.AbortError, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("rpc_failed", method=method)
            await abort(context, ClarionError(Code.INTERNAL, "An internal error; see the service's log."))
        finally:
            if is_timed:
                telemetry.labelled(_SECONDS, method).observe(time.perf_counter() - started)

    if not tracing.is_on() or method.startswith(UNTRACED):
        return edge

    async def traced(request: Any, context: Context) -> Any:
        with tracing.rpc_server(method, context.invocation_metadata()) as span:
            try:
                answered = await edge(request, context)
            except grpc.aio.AbortError:
                span.status(_status_name(context))
                raise
            span.status("OK")
            return answered

    return traced


def _status_name(context: Context) -> str:
    """Return the name of the status that a call was aborted with, such as "UNAVAILABLE"."""
    number = context.code()
    return next((status.name for status in grpc.StatusCode if number in (status, status.value[0])), "UNKNOWN")


@asynccontextmanager
async def _aborting(context: Context) -> AsyncIterator[None]:
    """End a stream with the typed error that the block raises."""
    try:
        yield
    except ClarionError as error:
        await abort(context, error)
    except TimeoutError:
        await abort(context, ClarionError(Code.UNAVAILABLE, "The call took too long. Try again.", retry_after=1))


def _refusal(method: str, error: ClarionError) -> Any:
    """Return a handler that answers with the error. It is a stream handler, so gRPC reads no message for it."""

    async def refuse(_: object, context: Context) -> NoReturn:
        telemetry.labelled(_SECONDS, method).observe(0)
        log.info("rpc_refused", method=method, code=error.code.name, detail=error.detail)
        await abort(context, error)

    return grpc.stream_unary_rpc_method_handler(refuse)


async def _end(*tasks: "asyncio.Future[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _read(context: Context, max_bytes: int) -> bytes:
    async with asyncio.timeout(_READ_S):
        raw = await context.read()
    if raw is grpc.aio.EOF:
        raise ClarionError(Code.INVALID, "The call has no message.")
    size = len(raw)
    if size > max_bytes:
        del raw  # else the error's traceback would keep it until the caller has the answer
        raise _too_large(size, max_bytes)
    return bytes(raw)


def _parsed(raw: bytes, parse: Callable[[bytes], Any], max_bytes: int) -> Any:
    """Return the message. Raises INVALID if it is too large, before parsing it, or cannot be parsed."""
    if len(raw) > max_bytes:
        raise _too_large(len(raw), max_bytes)
    try:
        return parse(raw)
    except DecodeError as error:
        raise ClarionError(Code.INVALID, "The message is not a valid request of this method.") from error


def _too_large(size: int, max_bytes: int) -> ClarionError:
    text = f"The message has {size:,} bytes; this method takes at most {max_bytes:,}. Send less."
    return ClarionError(Code.INVALID, text)


def _value(metadata: Iterable[tuple[str, Any]] | None, name: str) -> str:
    for key, value in metadata or ():
        if key == name and isinstance(value, str):
            return value
    return ""


def _address(context: Context) -> str:
    """Return the peer's address without the port."""
    return context.peer().rpartition(":")[0]
