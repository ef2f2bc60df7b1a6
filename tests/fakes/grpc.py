"""gRPC without a connection: stubs that call servicers of this process."""

from collections.abc import Mapping
from typing import Any

import grpc.aio

from runtime.errors import ClarionError, Code
from runtime.grpc import from_rpc_error


class MemoryChannel:
    """Stands for a grpc.aio.Channel: a stub's method is its path."""

    def unary_unary(self, path: str, *_: Any, **__: Any) -> str:
        """Return what MemoryCaller calls by."""
        return path


class MemoryCaller:
    """Stands for runtime.grpc.Caller. servicers: by their services, "clarion.ingest.v1.TenantService".

    away: services that do not answer. unimplemented: methods that the called version does not have. asked: the methods
    that were called, in order.
    """

    def __init__(self, servicers: Mapping[str, Any]) -> None:
        self._servicers = servicers
        self.away: set[str] = set()
        self.unimplemented: set[str] = set()
        self.asked: list[str] = []

    async def __call__(self, method: Any, request: Any, *, deadline: float) -> Any:
        """Call the servicer. Raises UNAVAILABLE while its service is away."""
        _, service, name = str(method).split("/")
        self.asked.append(name)
        if service in self.away:
            raise ClarionError(Code.UNAVAILABLE, "away")
        if name in self.unimplemented:
            no_metadata = grpc.aio.Metadata()
            error = grpc.aio.AioRpcError(grpc.StatusCode.UNIMPLEMENTED, no_metadata, no_metadata)
            raise from_rpc_error(error) from error
        copy = type(request).FromString(request.SerializeToString())
        return await getattr(self._servicers[service], name)(copy, None)
