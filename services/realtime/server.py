"""A gRPC server that is healthy only while the hub may be used."""

from collections.abc import Callable

from runtime.grpc import GrpcServer


class GuardedServer(GrpcServer):
    """Reports SERVING only while the process serves and may_serve() is true."""

    def __init__(self, address: str, *, token: str, may_serve: Callable[[], bool]) -> None:
        super().__init__(address, token=token)
        self._may_serve = may_serve
        self._wanted = False

    async def set_serving(self, *, serving: bool) -> None:
        """Report SERVING if the process wants to serve and the hub may be used."""
        self._wanted = serving
        await super().set_serving(serving=serving and self._may_serve())

    async def reassess(self) -> None:
        """Report the health again after may_serve() may have changed."""
        await super().set_serving(serving=self._wanted and self._may_serve())
