"""Both pages on 500: the broker or the database is away. The last of the tables, for it stops parts of the stack."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from checks.client import Client
from checks.waiting import until
from stack.client import Running
from tests.conformance.orqestra.conftest import Shop, assert_refused, event, well

pytestmark = pytest.mark.timeout(180)


def with_children(pid: int) -> list[int]:
    """Return a process and those that it has started: PostgreSQL's connections are processes of their own."""
    return [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())]


@asynccontextmanager
async def away(running: Running, client: Client, name: str) -> AsyncIterator[None]:
    """Keep a server from answering; afterwards wait until all is well."""
    pids = with_children(running.pid(name))
    for one in pids:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in pids:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGCONT)
        await well(client)


async def test_broker(orqestra_stack: Running, client: Client, shop: Shop) -> None:
    """500 in the published shape; the same again, when the broker is back, is accepted and sent once."""
    await shop.template("order.confirmed", "SMS")
    body = event()
    async with away(orqestra_stack, client, "nats"):
        answer = await shop.tenant.trigger(body)
        assert_refused(answer, 500, "Internal Server Error")

    async def accepted() -> bool:
        return (await shop.tenant.trigger(body)).status == 200

    await until(accepted, "the event's acceptance", deadline=30)
    assert list(await shop.messages(await shop.tenant.trigger(body))) == ["SMS"]
    assert len((await shop.operator.must("GET", f"/events?tenant_id={shop.tenant.id}"))["data"]) == 1


async def test_database(orqestra_stack: Running, client: Client, shop: Shop) -> None:
    """500 where the database is needed, as by the inbox; a trigger needs none and is accepted, once."""
    body = event()
    assert (await shop.tenant.trigger(event())).status == 200
    async with away(orqestra_stack, client, "postgres"):
        assert_refused(await shop.tenant.inbox("u"), 500, "Internal Server Error")
        assert (await shop.tenant.trigger(body)).status == 200
    assert (await shop.tenant.inbox("u")).status == 200
