"""Waiting in tests: poll until it is so, with a deadline."""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(predicate: Callable[..., Awaitable[T]], deadline: float = 30.0, *, every: float = 0.02) -> T: ...
@overload
async def eventually(predicate: Callable[..., T], deadline: float = 30.0, *, every: float = 0.02) -> T: ...
async def eventually(predicate: Callable[..., Any], deadline: float = 30.0, *, every: float = 0.02) -> Any:
    """Return the predicate's first truthy value; AssertionError after deadline seconds.

    The predicate may be a coroutine function. An AssertionError inside it counts as "not yet".
    """
    until = time.monotonic() + deadline
    while True:
        failure: AssertionError | None = None
        value: Any = None
        try:
            outcome = predicate()
            value = await outcome if inspect.isawaitable(outcome) else outcome
        except AssertionError as error:
            failure = error
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"not so within {deadline} s; last: {value!r}") from failure
        await asyncio.sleep(every)


async def end(task: "asyncio.Task[Any]") -> None:
    """Cancel a task, again until it has ended: asyncio.wait_for of Python 3.11 may swallow it. Raises its failure."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1)
    if not task.cancelled():
        task.result()


async def listens(port: int) -> bool:
    """Tell whether a server accepts connections on this port of the machine."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def is_alive(pid: int) -> bool:
    """Tell whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
