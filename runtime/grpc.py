"""gRPC as every service uses it: a deadline on each call, typed errors across the wire, a shared token.

Servers have health and reflection. Callers show the services' shared token, except on the methods
that a server declares open to API keys; health and reflection are open to all.
"""

import asyncio
import contextlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.rpc import code_pb2, status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status
from prometheus_client import Histogram

from clarion.common.v1 import error_pb2
from runtime import logs, telemetry
from runtime.errors import ClarionError, Code

TOKEN_METADATA = "x-clarion-token"  # noqa: S105 - its name, not its value
KEY_METADATA = "x-api-key"

# A callee reports its own timeout this much before the caller's deadline, so the reason is not lost.
DEADLINE_MARGIN_S = 0.05
MAX_MESSAGE_BYTES = 16 * 1024 * 1024

_OPEN_PREFIXES = ("/grpc.health.v1.Health/", "/grpc.reflection.")
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
}
_STATUS = {True: health_pb2.HealthCheckResponse.SERVING, False: health_pb2.HealthCheckResponse.NOT_SERVING}
_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})
_CHANNEL_OPTIONS = (
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # A killed service is back within seconds: do not sit out gRPC's default of up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # What its name does not say: how long one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.enable_retries", 0),
)

_SECONDS = Histogram(
    "clarion_grpc_seconds",
    "How long a call took here, answered or refused.",
    ["method"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

log = logs.get(__name__)

Res = TypeVar("Res")


def channel(address: str) -> grpc.aio.Channel:
    """Return a channel to the servers of one name, "host:port", or of a list of IPv4 addresses, used in turn."""
    return grpc.aio.insecure_channel(f"ipv4:{address}" if "," in address else address, options=_CHANNEL_OPTIONS)


class Caller:
    """Calls other services: always with a deadline, the shared token and the current trace id."""

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


def from_rpc_error(error: grpc.aio.AioRpcError) -> ClarionError:
    """Return the typed error inside an RPC's failure; without one, UNAVAILABLE or INTERNAL."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an AioRpcError has all that is asked for
    for detail in status.details if status else ():
        wire = error_pb2.Error()
        if detail.Unpack(wire):
            return ClarionError.from_proto(wire)
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return ClarionError(Code.UNAVAILABLE, "A part of the service does not answer.", retry_after=1)
    return ClarionError(Code.INTERNAL, f"{error.code().name}: {error.details()}")


class Server:
    """A gRPC server with health, reflection, authentication and error mapping.

    open_methods: full names ("/clarion.ingest.v1.IngestService/TriggerEvent") that authenticate by
    themselves, by API key.
    """

    def __init__(self, address: str, *, token: str, open_methods: Iterable[str] = ()) -> None:
        self._server = grpc.aio.server(
            interceptors=[_Edge(token, frozenset(open_methods))],
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
                ("grpc.so_reuseport", 0),
                # Callers ping every 20 s.
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            ],
        )
        self._address = address
        self._health = health.aio.HealthServicer()
        self._names = [reflection.SERVICE_NAME, health.SERVICE_NAME]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)

    def add(self, register: Callable[[Any, grpc.aio.Server], None], servicer: Any, name: str) -> None:
        """Serve a servicer: register is the generated add_…_to_server, name the service's full name."""
        register(servicer, self._server)
        self._names.append(name)

    async def start(self) -> None:
        """Bind and serve; health says NOT_SERVING until set_serving(serving=True). OSError: the address is taken."""
        reflection.enable_server_reflection(self._names, self._server)
        try:
            bound = self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._address}: {error}") from error
        if not bound:
            raise OSError(f"cannot listen on {self._address}")
        await self.set_serving(serving=False)
        await self._server.start()

    async def set_serving(self, *, serving: bool) -> None:
        """Tell health checks, for the server as a whole and each of its services."""
        for name in ("", *self._names[2:]):
            await self._health.set(name, _STATUS[serving])

    async def watch(self, name: str, is_alive: Callable[[], Awaitable[bool]], *, every: float = 1.0) -> None:
        """Tell health checks for ever, under a name such as "postgres", whether what this server leans on answers.

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
        """Refuse new calls and wait up to grace seconds for those under way."""
        await self._server.stop(grace)


async def is_serving(address: str, *, deadline: float = 1.0) -> bool:
    """Ask a server's health."""
    async with channel(address) as connection:
        stub = health_pb2_grpc.HealthStub(connection)
        try:
            answer = await stub.Check(  # type: ignore[attr-defined]  # the stubs of this package leave it out
                health_pb2.HealthCheckRequest(), timeout=deadline
            )
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def metadata_value(context: grpc.aio.ServicerContext[Any, Any], name: str) -> str:
    """Return a value of the call's metadata, empty where it is missing or not text."""
    for key, value in context.invocation_metadata() or ():
        if key == name and isinstance(value, str):
            return value
    return ""


class _Edge(grpc.aio.ServerInterceptor):
    """Authenticates, binds the trace id, bounds the time, maps errors: once for every method."""

    def __init__(self, token: str, open_methods: frozenset[str]) -> None:
        self._token = token.encode()
        self._open_methods = open_methods
        self._handlers: dict[str, Any] = {}

    async def intercept_service(self, continuation: Any, details: grpc.HandlerCallDetails) -> Any:
        method: str = details.method
        if (known := self._handlers.get(method)) is not None:
            return known
        handler = await continuation(details)
        if handler is None or handler.unary_unary is None or method.startswith(_OPEN_PREFIXES):
            return handler
        needs_token = method not in self._open_methods
        inner = handler.unary_unary

        async def edge(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            started = time.perf_counter()
            telemetry.bind_trace(metadata_value(context, telemetry.TRACE_METADATA))
            try:
                if needs_token:
                    self._authenticate(context)
                remaining = context.time_remaining()
                budget = None if remaining is None else max(remaining - DEADLINE_MARGIN_S, 0.001)
                async with asyncio.timeout(budget):
                    return await inner(request, context)
            except ClarionError as error:
                log.info("rpc_refused", method=method, code=error.code.name, detail=error.detail)
                await _abort(context, error)
            except TimeoutError:
                log.warning("rpc_timeout", method=method, seconds=round(time.perf_counter() - started, 3))
                await _abort(context, ClarionError(Code.UNAVAILABLE, "The call took too long.", retry_after=1))
            except (grpc.aio.AbortError, asyncio.CancelledError):
                raise
            except Exception:
                log.exception("rpc_failed", method=method)
                await _abort(context, ClarionError(Code.INTERNAL, "An internal error; see the service's log."))
            finally:
                telemetry.labelled(_SECONDS, method).observe(time.perf_counter() - started)

        made = grpc.unary_unary_rpc_method_handler(
            edge,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        self._handlers[method] = made
        return made

    def _authenticate(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        shown = metadata_value(context, TOKEN_METADATA).encode()
        if not hmac.compare_digest(shown, self._token):
            raise ClarionError(Code.UNAUTHENTICATED, "The services' shared token is missing or wrong.")


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: ClarionError) -> None:
    status = _TO_STATUS[error.code]
    wire = status_pb2.Status(code=code_pb2.Code.Value(status.name), message=error.detail)
    wire.details.add().Pack(error.to_proto())
    metadata: Sequence[tuple[str, bytes]] = (("grpc-status-details-bin", wire.SerializeToString()),)
    await context.abort(status, error.detail, metadata)
