"""Reports NATS on a service's gRPC health: "nats", and such as "nats.events" for each stream that it writes to."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from nats.aio.client import Client

from runtime import write_probe
from runtime.grpc import GrpcServer
from runtime.service import Process
from services.domain import topology


async def report_broker(process: Process, server: GrpcServer, connection: Client, stores: Sequence[str]) -> None:
    """Start to report whether NATS answers, and whether each store accepts writes, for the life of the process.

    stores: some of topology.STORES. The gateway's /healthz and /readyz read the reports (gateway/health.py).
    """
    subjects = {topology.stream_of(store): topology.probe_subject(store) for store in stores}
    probe = write_probe.WriteProbe(connection, subjects)
    await probe.probe()
    process.start(probe.run(), name="write probe")
    process.start(server.watch("nats", partial(write_probe.answers, connection)), name="health of NATS")
    for store in stores:
        alive = _stores(probe, topology.stream_of(store))
        process.start(server.watch(f"nats.{store.lower()}", alive), name=f"health of {store}")


def _stores(probe: write_probe.WriteProbe, stream: str) -> Callable[[], Awaitable[bool]]:
    async def stores() -> bool:
        return probe.stores(stream)

    return stores
