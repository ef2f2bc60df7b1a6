"""504: the event cannot be stored in time. The last of the tables, for it stops a part of the stack."""

import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from checks.waiting import until
from stack.client import Running
from tests.conformance.nahook.conftest import END_S, PAYLOAD, Workspace, assert_refused

pytestmark = pytest.mark.timeout(180)


@asynccontextmanager
async def away(running: Running, workspace: Workspace) -> AsyncIterator[None]:
    """Keep the broker from answering; afterwards wait until all is well."""
    pid = running.pid("nats")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)

        async def is_well() -> bool:
            return (await workspace.client.operator.health()).status == 200

        await until(is_well, "the stack's recovery", deadline=60, every=0.1)


async def test_504_ingest_timeout(nahook_stack: Running, workspace: Workspace) -> None:
    """Within about five seconds, and it is safe to try again: what was refused so is never sent.

    One of the calls may have been on its way to the broker when that stopped. What became of it is not known, so its
    answer is not 504.
    """
    target = await workspace.endpoint("order.paid")
    await workspace.trigger("order.paid", {"n": 0})
    refused, took = [], []
    async with away(nahook_stack, workspace):
        for number in range(1, 4):
            began = time.monotonic()
            answer = await workspace.send("/event/order.paid", {"payload": {"n": number}})
            if answer.status == 504:
                refused.append(number)
                took.append(time.monotonic() - began)
                assert_refused(answer, 504, "ingest_timeout")
    assert refused

    async def accepted() -> bool:
        return (await workspace.send("/event/order.paid", {"payload": PAYLOAD})).status == 202

    await until(accepted, "an event's acceptance", deadline=END_S)
    arrived = [one.body.decode() for one in await target.arrived(2)]
    assert not [number for number in refused if f'{{"n":{number}}}' in arrived]
    assert max(took) < 10
