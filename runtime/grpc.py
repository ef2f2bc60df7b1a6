"""gRPC servers and clients of all services: deadlines, typed errors, a shared token.

Servers have health and reflection. Callers show the services' shared token, except on the methods
that a server declares open to API keys; health and reflection are open to all.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from clarion.common.v1 import error_pb2
from runtime import telemetry, tracing
from runtime.edge import DEFAULT_MAX_BYTES, KEY_METADATA, TOKEN_METADATA, UNTRACED, CheckKey, Edge, metadata_value
from runtime.errors import ClarionError, Code

__all__ = ["KEY_METADATA", "TOKEN_METADATA", "Caller", "GrpcServer", "channel", "from_rpc_error", "metadata_value"]

# The size limit of an answer, unless a server and its caller agree on another. Requests are limited per method: see
# GrpcServer.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
# Calls under way in one server; past it OVERLOADED. Of one connection so many that this comes first: at the edge of its
# own bound a connection resets calls that its caller had counted as within it.
MAX_CALLS = 1024
MAX_CALLS_OF_CONNECTION = 2 * MAX_CALLS
# The size limits of a call's metadata: above the first some calls are refused, above the second all.
_METADATA_BYTES, _MAX_METADATA_BYTES = 8 * 1024, 16 * 1024
_TOO_LARGE = "SERVER: Received message larger than max"
_TOO_MANY_CALLS = "Concurrent RPC limit exceeded"

_STATUS = {True: health_pb2.HealthCheckResponse.SERVING, False: health_pb2.HealthCheckResponse.NOT_SERVING}
_SERVER_OPTIONS = (
    ("grpc.max_metadata_size", _METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
    ("grpc.max_concurrent_streams", MAX_CALLS_OF_CONNECTION),
    # Otherwise the flow-control window grows to megabytes, which an unauthenticated caller could fill.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.so_reuseport", 0),
    # Callers ping every 20 s.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)
_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
_CHANNEL_OPTIONS = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # A killed service is back within seconds; gRPC's default backoff grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Despite its name: how long one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.enable_retries", 0),
)

Res = TypeVar("Res")


def channel(address: str, *, max_answer_bytes: int = MAX_MESSAGE_BYTES) -> grpc.aio.Channel:
    """Return a connection to the servers of "host:port", or of a list of IPv4 addresses, used in turn.

    max_answer_bytes: as the servers have it; see GrpcServer.
    """
    target = f"ipv4:{address}" if "," in address else address
    interceptors = [_ClientSpans()] if tracing.is_on() else None
    options = (*_CHANNEL_OPTIONS, ("grpc.max_receive_message_length", max_answer_bytes))
    return grpc.aio.insecure_channel(target, options=options, interceptors=interceptors)


class _ClientSpans(grpc.aio.UnaryUnaryClientInterceptor):
    """Makes a span of each call and passes it on. Used only when spans are on."""

    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        method = client_call_details.method
        name = method.decode() if isinstance(method, bytes) else method
        if name.startswith(UNTRACED):
            return await continuation(client_call_details, request)
        with tracing.rpc_client(name) as span:
            metadata = grpc.aio.Metadata(*(client_call_details.metadata or ()), *span.metadata)
            call = await continuation(
                grpc.aio.ClientCallDetails(
                    client_call_details.method,
                    client_call_details.timeout,
                    metadata,
                    client_call_details.credentials,
                    client_call_details.wait_for_ready,
                ),
                request,
            )
            try:
                code = await call.code()
            except asyncio.CancelledError:  # here it would not end the call by itself
                call.cancel()
                raise
            span.status(code.name)
            return call


class Caller:
    """Calls other services with a deadline, the shared token and the current trace id."""

    def __init__(self, token: str) -> None:
        self._token = (TOKEN_METADATA, token)

    async def __call__(
        self, method: Callable[..., Awaitable[Res]], request: Any, *, deadline: float, wait_for_ready: bool = False
    ) -> Res:
        """Return the answer, or raise ClarionError. deadline: seconds from now."""
        trace_id = telemetry.current_trace()
        metadata = (self._token, (telemetry.TRACE_METADATA, trace_id)) if trace_id else (self._token,)
        try:
            return await method(request, timeout=deadline, metadata=metadata, wait_for_ready=wait_for_ready)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error

    async def stream(self, method: Callable[..., Any], request: Any) -> AsyncIterator[Any]:
        """Yield the answers of a method that answers until it is left. Raises ClarionError when it breaks off."""
        call = method(request, metadata=(self._token,))
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()


def from_rpc_error(error: grpc.aio.AioRpcError) -> ClarionError:
    """Return the typed error in an RPC's failure; without one UNAVAILABLE or INTERNAL."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an AioRpcError has all that is asked for
    for detail in status.details if status else ():
        wire = error_pb2.Error()
        if detail.Unpack(wire):
            return ClarionError.from_proto(wire)
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return ClarionError(Code.UNAVAILABLE, "A part of the service does not answer.", retry_after=1)
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:  # gRPC's own word, before a method was reached
        detail = error.details() or ""
        if _TOO_MANY_CALLS in detail:
            return ClarionError(Code.OVERLOADED, "A part of the service has too much to do.", retry_after=1)
        if _TOO_LARGE in detail:
            return ClarionError(Code.INVALID, f"The message is too large for this method: {detail}. Send less.")
    return ClarionError(Code.INTERNAL, f"{error.code().name}: {error.details()}")


def is_unimplemented(error: ClarionError) -> bool:
    """Return whether the server that was called does not have the method: it is of an earlier version."""
    cause = error.__cause__
    return isinstance(cause, grpc.aio.AioRpcError) and cause.code() is grpc.StatusCode.UNIMPLEMENTED


class GrpcServer:
    """A gRPC server with health, reflection, authentication, limits and error mapping.

    open_methods: full names ("/clarion.ingest.v1.IngestService/TriggerEvent") of methods that take an API key in place
    of the token, and what checks it: raises ClarionError for a key that may not call.

    A message may have DEFAULT_MAX_BYTES; a servicer's MAX_BYTES names the methods that take more: {"AcceptEvents": …}.
    max_answer_bytes: of any answer.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str,
        open_methods: Mapping[str, CheckKey] | None = None,
        max_answer_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._address = address
        self._server: grpc.aio.Server | None = None
        self._health = health.aio.HealthServicer()
        self._names = [reflection.SERVICE_NAME, health.SERVICE_NAME]
        self._registrations: list[Callable[[grpc.aio.Server], None]] = [
            lambda server: health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        ]
        self._max_bytes: dict[str, int] = {}
        self._edge = Edge(token, open_methods or {}, self._max_bytes)

    def add(self, register: Callable[[Any, grpc.aio.Server], None], servicer: Any, name: str) -> None:
        """Add a servicer. register: the generated add_…_to_server. name: the service's full name."""
        self._registrations.append(lambda server: register(servicer, server))
        self._names.append(name)
        for method, max_bytes in getattr(servicer, "MAX_BYTES", {}).items():
            self._max_bytes[f"/{name}/{method}"] = max_bytes

    async def start(self) -> None:
        """Bind and serve; health is NOT_SERVING until set_serving(). Raises OSError if the address is taken."""
        server = self._server = grpc.aio.server(
            interceptors=[self._edge],
            maximum_concurrent_rpcs=MAX_CALLS,
            options=[
                *_SERVER_OPTIONS,
                ("grpc.max_receive_message_length", self._largest()),
                ("grpc.max_send_message_length", self._max_answer_bytes),
            ],
        )
        for register in self._registrations:
            register(server)
        reflection.enable_server_reflection(self._names, server)
        try:
            bound = server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._address}: {error}") from error
        if not bound:
            raise OSError(f"cannot listen on {self._address}")
        await self.set_serving(serving=False)
        await server.start()

    def _largest(self) -> int:
        """Return the largest limit of all methods: gRPC refuses a longer message at its first bytes."""
        return max(DEFAULT_MAX_BYTES, *self._max_bytes.values(), 0)

    async def set_serving(self, *, serving: bool) -> None:
        """Set the health of the server and of each of its services."""
        for name in ("", *self._names[2:]):
            await self._health.set(name, _STATUS[serving])

    async def watch(self, name: str, is_alive: Callable[[], Awaitable[bool]], *, every: float = 1.0) -> None:
        """Report for ever, under a name such as "postgres", whether a dependency of this server answers.

        The health of the server itself does not change: it may go on without. every: seconds.
        """
        while True:
            alive = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2 * every):
                    alive = await is_alive()
            await self._health.set(name, _STATUS[alive])
            await asyncio.sleep(every)

    async def stop(self, grace: float) -> None:
        """Refuse new calls, end streams, and wait up to grace seconds for the other calls in progress."""
        self._edge.stopping.set()
        if self._server is not None:
            await self._server.stop(grace)


async def is_serving(address: str, *, deadline: float = 1.0) -> bool:
    """Return whether a server's health is SERVING."""
    async with channel(address) as connection:
        stub = health_pb2_grpc.HealthStub(connection)
        try:
            answer = await stub.Check(  # type: ignore[attr-defined]  # the stubs of this package leave it out
                health_pb2.HealthCheckRequest(), timeout=deadline
            )
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
