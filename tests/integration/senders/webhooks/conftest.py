"""The HTTP client of webhooks on both event loops: asyncio's own, and uvloop's, on which services run."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop

from runtime.egress import EgressGuard, EgressPolicy, Ports, urls
from services.senders.webhooks import request
from services.senders.webhooks.client import WebhookClient
from services.senders.webhooks.ports import Answer, Call, NoAnswer

OpenClient = Callable[..., WebhookClient]

# No test waits for it: those of the deadline set their own.
PATIENT_S = 60.0


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Each test runs on both."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def open_client() -> AsyncIterator[OpenClient]:
    """Opens clients that may call this machine, and closes them in the end."""
    opened: list[WebhookClient] = []

    def open_one(*, guard: EgressGuard | None = None, **options: Any) -> WebhookClient:
        options.setdefault("timeout_s", PATIENT_S)
        opened.append(WebhookClient(guard or guard_of("127.0.0.0/8:*"), **options))
        return opened[-1]

    yield open_one
    for client in opened:
        await client.close()
        assert (client.under_way, client.idle) == (0, 0)


def guard_of(*allow: str, **options: Any) -> EgressGuard:
    """A guard with the usual ports, and what is allowed beside."""
    return EgressGuard(EgressPolicy(allow), Ports(frozenset({80, 443}), "CLARION_EGRESS_WEBHOOK_PORTS"), **options)


def call(url: str, body: bytes = b"{}", *, tenant: str = "t", endpoint: str = "e") -> Call:
    """A call as the attempter makes it."""
    address = urls.read(url)
    head = request.head(address, {}, "") + request.own_lines(body, {"webhook-id": "msg_1"})
    return Call(tenant, endpoint, address, head, body)


async def outcome(client: WebhookClient, url: str, body: bytes = b"{}", **options: str) -> str:
    """Return the status of the answer, or why there is none."""
    try:
        answer = await client.post(call(url, body, **options))
    except NoAnswer as error:
        return error.reason
    return str(answer.status)


async def posted(client: WebhookClient, url: str, body: bytes = b"{}") -> Answer:
    """Make a call that is answered."""
    return await client.post(call(url, body))
