"""What the tests of publishing and pulling share: messages on one subject, and a puller that gets them."""

from typing import Any

from nats.aio.client import Client

from runtime import nats, pulling
from services.domain import topology

SUBJECT = topology.event_subject("a tenant")


def messages(count: int, start: int = 0) -> list[nats.Outgoing]:
    """Return so many, each its number, with ids."""
    return [nats.Outgoing(SUBJECT, str(number).encode(), msg_id=f"m{number}") for number in range(start, start + count)]


def consumer() -> topology.Consumer:
    """Return the router's consumer that gets them."""
    return next(consumer for consumer in topology.router_consumers() if SUBJECT in consumer.subjects)


def puller(
    connection: Client, max_held: int = 64, *, ack_wait: float = topology.ACK_WAIT_S, **options: Any
) -> pulling.Puller:
    """Return a puller from that consumer."""
    of = consumer()
    return pulling.Puller(connection, of.stream, of.name, max_held=max_held, ack_wait=ack_wait, **options)
