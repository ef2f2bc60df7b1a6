"""The official Python client in tests."""

from typing import Any

from tests.waiting import eventually


async def leave(client: Any) -> None:
    """Disconnect a `centrifuge.Client` and wait until its socket is closed.

    disconnect() alone only starts a task for that. If the test's loop ends before the task does, the socket stays open
    until a later test collects the garbage, and that test fails with a ResourceWarning.
    """
    handshake = client._open_task
    await client.disconnect()
    await eventually(lambda: not client._background_tasks and (handshake is None or handshake.done()))
