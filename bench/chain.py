"""A baseline: the simplest chain of the same kinds of parts, one message at a time without any other work.

HTTP (aiohttp) -> unary gRPC -> a JetStream stream -> a second one -> a row in PostgreSQL: four processes, each
`python -m bench.chain ROLE` with its order on standard input. No tenants, keys, limits, templates, ledger or retries.
What it takes on a machine is what the machine takes for such a chain.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import grpc.aio
import msgspec
import nats
import nats.errors
import uvloop
from aiohttp import web
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, StorageType, StreamConfig

EVENTS, DELIVERIES = "BENCH_EVENTS", "BENCH_DELIVERIES"
TABLE = "bench_chain"
_METHOD = "/bench.Chain/Accept"
_MAX_BYTES = 256 * 1024**2
_GROUP = 256
_WAIT_S = 5.0
_DEADLINE_S = 10.0
_INSERT = f"INSERT INTO {TABLE} (unique_id) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING /* bench */"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses. accept: the gRPC address of the second process."""

    nats: str
    postgres: str
    accept: str


class Event(msgspec.Struct, frozen=True):
    """The part of a body that the chain reads: the id from the generator."""

    event_id: str = msgspec.field(name="eventId")


_event = msgspec.json.Decoder(Event).decode


async def prepare(order: Order) -> None:
    """Create the two streams and the table."""
    connection = await nats.connect(order.nats)
    stream = connection.jetstream(timeout=_DEADLINE_S)
    for name in (EVENTS, DELIVERIES):
        await stream.add_stream(
            StreamConfig(name=name, subjects=[name], storage=StorageType.FILE, max_bytes=_MAX_BYTES)
        )
        consumer = ConsumerConfig(durable_name=name, ack_policy=AckPolicy.EXPLICIT, max_ack_pending=10_000)
        await stream.add_consumer(name, consumer)
    await connection.close()
    sql = await asyncpg.connect(order.postgres)
    await sql.execute(f"CREATE TABLE {TABLE} (unique_id text PRIMARY KEY)")
    await sql.close()


async def remove(order: Order) -> None:
    """Delete what prepare() created."""
    connection = await nats.connect(order.nats)
    for name in (EVENTS, DELIVERIES):
        await connection.jetstream(timeout=_DEADLINE_S).delete_stream(name)
    await connection.close()
    sql = await asyncpg.connect(order.postgres)
    await sql.execute(f"DROP TABLE {TABLE}")
    await sql.close()


async def gateway(order: Order) -> None:
    """Accept events over HTTP. Print the port."""
    channel = grpc.aio.insecure_channel(order.accept)
    accept: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_METHOD)

    async def trigger(request: web.Request) -> web.Response:
        await accept(await request.read(), timeout=_DEADLINE_S)
        return web.json_response({"success": True})

    app = web.Application()
    app.router.add_post("/", trigger)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


async def ingest(order: Order) -> None:
    """Answer once the event is stored."""
    connection = await nats.connect(order.nats)

    async def accept(body: bytes, _context: object) -> bytes:
        await _publish(connection, EVENTS, body)
        return b""

    server = grpc.aio.server()
    service, _, method = _METHOD[1:].partition("/")
    handlers: dict[str, Any] = {method: grpc.unary_unary_rpc_method_handler(accept)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(order.accept)
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


async def router(order: Order) -> None:
    """Create a delivery for each event."""
    connection = await nats.connect(order.nats)

    async def route(messages: list[Msg]) -> None:
        await asyncio.gather(*(_publish(connection, DELIVERIES, one.data) for one in messages))

    await _follow(connection, EVENTS, route)


async def sender(order: Order) -> None:
    """Record each delivery."""
    connection = await nats.connect(order.nats)
    sql = await asyncpg.connect(order.postgres)

    async def record(messages: list[Msg]) -> None:
        await sql.execute(_INSERT, [_event(one.data).event_id for one in messages])

    await _follow(connection, DELIVERIES, record)


async def _publish(connection: Client, subject: str, body: bytes) -> None:
    headers = {"Nats-Msg-Id": f"{subject}{_event(body).event_id}"}
    await connection.jetstream(timeout=_DEADLINE_S).publish(subject, body, headers=headers)


async def _follow(connection: Client, name: str, handle: Callable[[list[Msg]], Awaitable[None]]) -> None:
    subscription = await connection.jetstream().pull_subscribe_bind(name, stream=name)
    print("ready", flush=True)
    while True:
        try:
            messages = await subscription.fetch(_GROUP, timeout=_WAIT_S)
        except nats.errors.TimeoutError:
            continue
        await handle(messages)
        await asyncio.gather(*(one.ack() for one in messages))


ROLES: dict[str, Callable[[Order], Awaitable[None]]] = {
    "sender": sender,
    "router": router,
    "ingest": ingest,
    "gateway": gateway,
}


async def _main(role: str, order: Order) -> None:
    await ROLES[role](order)


def main() -> None:
    """Play one role until killed."""
    uvloop.run(_main(sys.argv[1], msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Order)))


if __name__ == "__main__":
    main()
