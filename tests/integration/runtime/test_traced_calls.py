"""The interceptor that makes a span of each gRPC call changes nothing about the call."""

import asyncio
from typing import Any

import grpc

from runtime.grpc import _ClientSpans
from tests.waiting import eventually


class _Patient(grpc.GenericRpcHandler):
    """Answers no call; notes what becomes of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def service(self, _: grpc.HandlerCallDetails) -> Any:
        """Handle every method."""
        return grpc.unary_unary_rpc_method_handler(self._handle)

    async def _handle(self, _request: bytes, _context: Any) -> bytes:
        self.calls.append("begun")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.calls.append("cancelled")
            raise
        return b""


async def test_a_cancelled_caller_cancels_its_call() -> None:
    """Else the server would go on until the call's own deadline."""
    handler = _Patient()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=[_ClientSpans()]) as connection:
            method: Any = connection.unary_unary("/a.B/Call")
            call = asyncio.ensure_future(method(b"", timeout=120))
            await eventually(lambda: handler.calls == ["begun"])
            call.cancel()
            await eventually(lambda: handler.calls == ["begun", "cancelled"])
    finally:
        await server.stop(0)
