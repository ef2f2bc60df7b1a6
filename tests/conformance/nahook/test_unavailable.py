"""504: the event is not stored in time. The last of the tables, for it stops a part of the stack."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from checks.client import Answer
from checks.waiting import until
from stack.client import Running
from tests.conformance.nahook.conftest import END_S, Workspace, assert_refused

# More than the gateway has under way at a time: what it cannot pass on in time is given up.
_CALLS = 12
_PAUSE_S = 0.15

pytestmark = pytest.mark.timeout(180)


@asynccontextmanager
async def away(running: Running, workspace: Workspace) -> AsyncIterator[None]:
    """Keep ingest from answering; afterwards wait until all is well."""
    pid = running.pid("ingest")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)

        async def is_well() -> bool:
            return (await workspace.client.operator.health()).status == 200

        await until(is_well, "the stack's recovery", deadline=60, every=0.1)


async def test_504_ingest_timeout(nahook_stack: Running, workspace: Workspace) -> None:
    """It is safe to try again: what was answered so is never sent.

    What had been passed on to ingest may be stored, so its answer is another one.
    """
    target = await workspace.endpoint("order.paid")

    async def send(number: int) -> Answer:
        await asyncio.sleep(number * _PAUSE_S)
        return await workspace.send("/event/order.paid", {"payload": {"n": number}})

    await send(0)
    async with away(nahook_stack, workspace):
        answers = await asyncio.gather(*(send(number) for number in range(1, _CALLS + 1)))
    refused = {number for number, answer in enumerate(answers, 1) if answer.status == 504}
    for number in refused:
        assert_refused(answers[number - 1], 504, "ingest_timeout")
    assert refused, [answer.status for answer in answers]
    assert {answer.status for answer in answers} <= {202, 503, 504}

    async def accepted() -> bool:
        return (await send(-1)).status == 202

    await until(accepted, "an event's acceptance", deadline=END_S)

    async def last() -> list[int] | None:
        found = [json.loads(one.body)["n"] for one in workspace.receiver.arrived(target.path)]
        return found if -1 in found else None

    found = await until(last, "the last event", deadline=END_S)
    assert refused.isdisjoint(found)
    assert 0 in found
