"""A limit for each caller and one for all: some calls wait, the others are refused."""

import asyncio

import pytest

from runtime.errors import ClarionError, Code
from runtime.gate import Gate


async def _hold(gate: Gate, caller: str, inside: list[str], leave: asyncio.Event) -> None:
    async with gate.enter(caller):
        inside.append(caller)
        await leave.wait()


async def test_calls_above_the_limit_wait_or_are_refused() -> None:
    """Two run, one waits, the fourth is refused with retry_after; then the waiting one runs."""
    gate, leave = Gate(per_caller=2, total=10, waiting=1), asyncio.Event()
    held: list[str] = []
    tasks = [asyncio.create_task(_hold(gate, "a", held, leave)) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert held == ["a", "a"]
    with pytest.raises(ClarionError) as refused:
        await _hold(gate, "a", held, leave)
    assert (refused.value.code, refused.value.retry_after) == (Code.OVERLOADED, 1)
    leave.set()
    await asyncio.gather(*tasks)
    assert held == ["a", "a", "a"]


async def test_one_callers_queue_is_not_anothers() -> None:
    """A caller with a full queue has only its share of places; another caller gets one at once."""
    gate, leave = Gate(per_caller=1, total=2, waiting=5), asyncio.Event()
    inside: list[str] = []
    tasks = [asyncio.create_task(_hold(gate, caller, inside, leave)) for caller in ("a", "a", "a", "b")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sorted(inside) == ["a", "b"]
    leave.set()
    await asyncio.gather(*tasks)


async def test_a_cancelled_caller_leaves_nothing_behind() -> None:
    """Running or waiting: its places are free again."""
    gate, leave = Gate(per_caller=1, total=1, waiting=1), asyncio.Event()
    inside: list[str] = []
    tasks = [asyncio.create_task(_hold(gate, "a", inside, leave)) for _ in range(2)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    leave.set()
    await _hold(gate, "a", inside, leave)
    await _hold(gate, "b", inside, leave)
    assert inside[-2:] == ["a", "b"]
