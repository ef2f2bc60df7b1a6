"""A gRPC server whose health depends on the hub's."""

from collections.abc import Callable

from runtime.grpc import Server


class GuardedServer(Server):
    """Says SERVING only while the process serves and may_serve() holds."""

    def __init__(self, address: str, *, token: str, may_serve: Callable[[], bool]) -> None:
        super().__init__(address, token=token)
        self._may_serve = may_serve
        self._wanted = False

    async def set_serving(self, *, serving: bool) -> None:
        """Tell health checks what the process wants, and what the hub allows."""
        self._wanted = serving
        await super().set_serving(serving=serving and self._may_serve())

    async def reassess(self) -> None:
        """Ask may_serve() again."""
        await super().set_serving(serving=self._wanted and self._may_serve())
