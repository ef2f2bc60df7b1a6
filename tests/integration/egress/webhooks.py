"""The sender of webhooks, given one address after another."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import aiohappyeyeballs

from runtime.egress import EgressGuard, EgressPolicy, Ports
from runtime.egress.lookup import Lookup
from services.delivery.ports import Prepared, SendResult, Verdict
from services.senders.webhooks.attempter import WebhookAttempter
from services.senders.webhooks.client import WebhookClient
from tests.integration.egress.corpus import DUAL, LITERALS, MORE_URLS, NAMES, NOT_IN_URLS, PUBLIC, URLS
from tests.unit.senders.webhooks import builders
from tests.unit.senders.webhooks.builders import Published

# The setting's own default, and the port at which the test listens.
_PORTS = frozenset({80, 443, 8080, 8443})

Attempt = Callable[[str], Awaitable[SendResult]]


def hostile(port: int) -> list[str]:
    """The addresses that are never connected to. port: where something listens."""
    literals = [
        f"http://[{host}]:{port}/" if ":" in host and not host.startswith("[") else f"http://{host}:{port}/"
        for host in LITERALS
        if host not in NOT_IN_URLS
    ]
    names = [f"http://{name}:{port}/" for name in (*NAMES, *(f"{name}." for name in NAMES))]
    return list(dict.fromkeys([*literals, *names, *(url.format(port=port) for url in (*URLS, *MORE_URLS))]))


@asynccontextmanager
async def sending(lookup: Lookup | None, *ports: int, allow: tuple[str, ...] = ()) -> AsyncIterator[Attempt]:
    """Make one attempt at each address: the endpoint is published, and the event delivered to it."""
    ports_of_webhooks = Ports(_PORTS.union(ports), "CLARION_EGRESS_WEBHOOK_PORTS", allow="CLARION_EGRESS_WEBHOOK_ALLOW")
    guard = EgressGuard(EgressPolicy(allow), ports_of_webhooks, lookup=lookup)
    client = WebhookClient(guard, timeout_s=30.0)
    published = Published()
    attempter = WebhookAttempter(published.directory, _NoBodies(), client)

    async def attempt(url: str) -> SendResult:
        delivery = builders.delivery(published.put(builders.endpoint(published.vault, url)))
        prepared = await attempter.prepare(delivery)
        return await attempter.send(delivery, prepared.message) if isinstance(prepared, Prepared) else prepared

    try:
        yield attempt
    finally:
        await client.close()


def is_refused(result: SendResult) -> bool:
    """Whether it failed for good because of its address, with a sentence that says so."""
    return (result.verdict, result.reason) == (Verdict.PERMANENT, "address_not_allowed") and result.detail.endswith(".")


async def public_names(name: str) -> list[str]:
    """Resolve any name to a public address."""
    return list(DUAL if name.startswith("dual.") else PUBLIC)


@contextmanager
def connecting_nowhere() -> Iterator[list[Any]]:
    """Note where a connection would go, in place of connecting: the addresses are other people's."""
    tried: list[Any] = []
    real = aiohappyeyeballs.start_connection

    async def note(addresses: list[Any], **_: Any) -> socket.socket:
        tried.append([one[4][:2] for one in addresses])
        raise ConnectionRefusedError(111, "Connection refused")

    aiohappyeyeballs.start_connection = note  # type: ignore[assignment]  # takes what the guard gives
    try:
        yield tried
    finally:
        aiohappyeyeballs.start_connection = real


class _NoBodies:
    """Implements services.delivery.rendered.EventBodies: these deliveries carry theirs."""

    async def complete(self, delivery: Any) -> Any:
        """Return it as it is."""
        return delivery
