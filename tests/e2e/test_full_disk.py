"""The disk of the broker's store fills and is emptied: health and the doctor say so, and all goes on by itself."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from checks.client import Client, connect, order
from checks.small_disk import SmallDisk
from checks.waiting import until
from stack import client as stack_client
from stack import processes
from stack.client import Running
from stack.local import Options
from tests.conftest import REPORT, free_port
from tests.disks import mounted
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    """The small disk on which the stack's broker has its store."""
    yield from mounted(tmp_path_factory.mktemp("full") / "nats" / "store", mib=64)


@pytest.fixture(scope="module")
def running(disk: SmallDisk) -> Iterator[Running]:
    """A whole stack."""
    with stack_client.started(Options(data=disk.folder.parents[1], port=free_port())) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def client(running: Running) -> AsyncIterator[Client]:
    """Its demo tenant and operator."""
    async with connect(running.state) as connected:
        yield connected


async def _page(client: Client, path: str) -> dict[str, Any]:
    """Return what a health page says; its status must agree."""
    answer = await client.http.call("GET", path)
    body: dict[str, Any] = answer.body
    assert (answer.status == 200) == (body["status"] == "ok")
    return body


async def _doctor(running: Running) -> tuple[int, str]:
    """Return the doctor's exit status and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "cli", "doctor"),
        env={**os.environ, **running.variables},
        cwd=processes.ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 90)
    return await process.wait(), said.decode()


async def _trigger(client: Client, key: str) -> str:
    """Trigger an event; return its id, empty where it was refused."""
    answer = await client.tenant.trigger(order(key, "full", ["SMS"]))
    return answer.event_id if answer.status == 200 else ""


async def test_a_full_disk_is_told_and_recovered_from(
    running: Running, client: Client, disk: SmallDisk, record_property: Any
) -> None:
    """While nothing is accepted every place says so; once the disk has room, events are accepted without a hand."""
    await eventually(lambda: _is_ok(client, "/healthz"), 60)
    accepted = [await _trigger(client, "before")]
    disk.fill()
    filled = time.monotonic()
    numbers = iter(range(10_000))

    async def is_refused() -> bool:
        event_id = await _trigger(client, f"full-{next(numbers)}")
        accepted.extend([event_id] if event_id else [])
        return not event_id

    await eventually(is_refused, 60)
    await eventually(lambda: _says(client, "/readyz", "NATS does not store in EVENTS"), 30)
    told = time.monotonic() - filled
    health = await _page(client, "/healthz")
    assert (health["dependencies"]["nats.events"], health["dependencies"]["nats"]) == ("unavailable", "serving")
    status, said = await _doctor(running)
    assert status == 1
    assert "does not store messages. EVENTS: a write is not acknowledged" in said
    assert "the server reports error" in said
    assert "no space left on device" in said
    assert not await _trigger(client, "still full")

    disk.empty()
    emptied = time.monotonic()
    accepted.append(await eventually(lambda: _trigger(client, f"after-{next(numbers)}"), 90))
    accepting = time.monotonic() - emptied
    await eventually(lambda: _is_ok(client, "/readyz"), 30)
    ready = time.monotonic() - emptied
    await eventually(lambda: _is_ok(client, "/healthz"), 60)
    record_property(
        REPORT,
        f"full disk: told by /readyz after {told:.1f} s; emptied: accepting after {accepting:.1f} s, ready after"
        f" {ready:.1f} s",
    )
    for event_id in accepted:
        done = await until(partial(client.operator.finished, event_id), "the event's end", deadline=60)
        assert [one["status"] for one in done["deliveries"] if one["channel"] == "SMS"] == ["sent"]
    _, said = await _doctor(running)
    assert "all 5 streams store messages" in said
    assert "the server reports that it is healthy" in said
    assert "is equal to PostgreSQL" in said
    # The disk is smaller than the store may grow: that is how it came to be full.
    [fault] = [line for line in said.splitlines() if line.startswith("FAIL")]
    assert "less than max_file_store may still need" in fault
    assert "its disk has room: restarting it" in await asyncio.to_thread((running.data / "run.log").read_text, "utf-8")


async def _says(client: Client, path: str, reason: str) -> bool:
    return reason in (await _page(client, path)).get("reason", "")


async def _is_ok(client: Client, path: str) -> bool:
    return bool((await _page(client, path))["status"] == "ok")
