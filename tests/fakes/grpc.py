"""gRPC without a connection: stubs that call servicers of this process."""

from collections.abc import Mapping
from typing import Any

from runtime.errors import ClarionError, Code


class MemoryChannel:
    """Stands for a grpc.aio.Channel: a stub's method is its path."""

    def unary_unary(self, path: str, *_: Any, **__: Any) -> str:
        """Return what MemoryCaller calls by."""
        return path


class MemoryCaller:
    """Stands for runtime.grpc.Caller. servicers: by their services, "clarion.ingest.v1.TenantService".

    away: services that do not answer. asked: the methods that were called, in order.
    """

    def __init__(self, servicers: Mapping[str, Any]) -> None:
        self._servicers = servicers
        self.away: set[str] = set()
        self.asked: list[str] = []

    async def __call__(self, method: Any, request: Any, *, deadline: float) -> Any:
        """Call the servicer. Raises UNAVAILABLE while its service is away."""
        _, service, name = str(method).split("/")
        self.asked.append(name)
        if service in self.away:
            raise ClarionError(Code.UNAVAILABLE, "away")
        copy = type(request).FromString(request.SerializeToString())
        return await getattr(self._servicers[service], name)(copy, None)
