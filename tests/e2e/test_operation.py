"""What an operator sees and does: health of each dependency, metrics, stopping under load, a start that cannot be."""

import asyncio
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
import msgspec
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from checks.burst import Burst
from checks.client import Client, connect, order
from checks.sink import Sink
from checks.waiting import until
from stack import processes
from stack.client import Running
from stack.processes import instances
from tests.e2e.logs import lines, secrets_in_logs
from tests.waiting import eventually, is_alive

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

_SERVICES = ("ingest", "router", "render", "senders", "realtime")
# A drain ends within 9.5 seconds of the processor's time; nothing is lost where it had to wait for that.
_DRAIN_S = 20.0


@pytest_asyncio.fixture(loop_scope="session")
async def client(mortal_stack: Running) -> AsyncIterator[Client]:
    """The demo tenant and the operator of the stack whose parts are killed."""
    async with connect(mortal_stack.state) as connected:
        yield connected


async def health(client: Client) -> dict[str, Any]:
    """Return what /healthz says; nothing while the gateway is away."""
    try:
        answer = await client.operator.health()
    except (aiohttp.ClientError, TimeoutError, OSError):
        return {}
    body: dict[str, Any] = answer.body
    assert (answer.status == 200) == (body["status"] == "ok")
    return body


async def is_well(client: Client) -> bool:
    """Tell whether everything serves."""
    body = await health(client)
    return body.get("status") == "ok" and set(body["dependencies"].values()) == {"serving"}


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


@asynccontextmanager
async def held(running: Running, name: str) -> AsyncIterator[None]:
    """Keep a part from answering for a while, as one that hangs or is unplugged."""
    pids = [running.pid(name)]
    os.kill(pids[0], signal.SIGSTOP)  # now it starts no more
    if name == "postgres":  # its connections are processes of their own
        pids += children(pids[0])
    for pid in pids[1:]:
        with suppress(ProcessLookupError):  # it may end by itself
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("part", "dependency"),
    [("postgres", "postgres"), ("hub", "hub"), ("render", "render"), ("senders", "senders"), ("router", "router")],
)
async def test_healthz_names_what_hangs(mortal_stack: Running, client: Client, part: str, dependency: str) -> None:
    """503 and "unavailable" for it while it hangs; all well soon after."""
    await eventually(lambda: is_well(client), 60)
    async with held(mortal_stack, part):

        async def is_named() -> bool:
            body = await health(client)
            return bool(body) and (body["dependencies"][dependency], body["status"]) == ("unavailable", "unavailable")

        await eventually(is_named, 60)
    await eventually(lambda: is_well(client), 60)


async def test_healthz_names_a_dead_nats(mortal_stack: Running, client: Client) -> None:
    """While the broker is away for longer than its supervisor needs, it is named; then all is well by itself."""
    await eventually(lambda: is_well(client), 60)
    seen: list[str] = []
    until_s = time.monotonic() + 30
    while "unavailable" not in seen and time.monotonic() < until_s:
        with suppress(ProcessLookupError):
            pid = mortal_stack.pid("nats")
            if pid:
                os.kill(pid, signal.SIGKILL)
        body = await health(client)
        seen += [body["dependencies"]["nats"]] if body else []
        await asyncio.sleep(0.05)
    assert "unavailable" in seen
    await eventually(lambda: is_well(client), 120)


async def test_readyz_is_503_while_nats_is_frozen(mortal_stack: Running, client: Client) -> None:
    """Its connections stay open and every trigger fails; both pages say so, and are well again by themselves."""
    await eventually(lambda: is_well(client), 60)

    async def readyz() -> tuple[int, str]:
        async with client.http.session.get(f"{client.http.url}/readyz") as answer:
            return answer.status, (await answer.json()).get("reason", "")

    async def is_refused() -> bool:
        return await readyz() == (503, "Events cannot be accepted: NATS does not answer.")

    async def is_named() -> bool:
        return bool((await health(client)).get("dependencies", {}).get("nats") == "unavailable")

    async with held(mortal_stack, "nats"):
        await eventually(is_refused, 30)
        await eventually(is_named, 30)
        assert (await client.tenant.trigger(order(f"F-{secrets.token_hex(4)}", "frozen", ["SMS"]))).status >= 500

    async def is_ready() -> bool:
        return await readyz() == (200, "")

    await eventually(is_ready, 60)
    await eventually(lambda: is_well(client), 60)
    await client.tenant.accept(order(f"F-{secrets.token_hex(4)}", "frozen", ["SMS"]))


async def test_events_are_taken_without_postgres_and_told_as_degraded(mortal_stack: Running, client: Client) -> None:
    """/readyz stays good: accepted, once, counted as degraded, and delivered when the database is back."""
    await eventually(lambda: is_well(client), 60)
    await client.tenant.accept(order("D-0", "degraded", ["SMS"]))  # the key is known from now on
    async with held(mortal_stack, "postgres"):
        event = order("D-1", "degraded", ["SMS"])
        async with client.http.session.get(f"{client.http.url}/readyz") as answer:
            assert answer.status == 200
        first = await client.tenant.accept(event)
        assert await client.tenant.accept(event) == first
    await eventually(lambda: is_well(client), 60)
    done = await until(lambda: client.operator.finished(first), "the event's end", deadline=60)
    statuses = {delivery["channel"]: delivery["status"] for delivery in done["deliveries"]}
    assert statuses == {"EMAIL": "skipped", "SMS": "sent", "PUSH": "skipped"}
    assert [message["channel"] for message in await client.operator.outbox(first)] == ["SMS"]
    assert (await metrics(mortal_stack, "ingest"))["clarion_admission_degraded_total"] >= 1


async def metrics(running: Running, role: str) -> dict[str, float]:
    """Return the sum of a role's /metrics over its processes and over labels, by name."""
    ports = msgspec.json.decode((running.data / "ports.json").read_bytes(), type=dict[str, int])
    found: dict[str, float] = {}
    for name in instances(role, {"gateway": 2, "ingest": 4}):
        async with aiohttp.request("GET", f"http://127.0.0.1:{ports[f'{name}-metrics']}/metrics") as answer:
            text = await answer.text()
        for line in text.splitlines():
            if line and not line.startswith("#"):
                metric = re.split(r"[{ ]", line, maxsplit=1)[0]
                found[metric] = found.get(metric, 0.0) + float(line.rpartition(" ")[2])
    return found


_COUNTED = {
    "gateway": "clarion_http_requests_total",
    "ingest": "clarion_ingested_total",
    "router": "clarion_routed_total",
    "render": "clarion_render_items_total",
    "senders": "clarion_sends_total",
    "realtime": "clarion_realtime_publications_total",
}


async def test_every_process_has_metrics_that_count(mortal_stack: Running, client: Client) -> None:
    """Its own counter grows with an event, its memory and processor time are there, and no label holds an id."""
    await eventually(lambda: is_well(client), 60)
    before = {name: await metrics(mortal_stack, name) for name in (*_COUNTED, "mail")}
    event_id = await client.tenant.accept(order(f"M-{secrets.token_hex(4)}", "metrics"))
    await until(lambda: client.operator.finished(event_id), "the event's end", deadline=60)
    for name, counter in _COUNTED.items():
        assert (await metrics(mortal_stack, name))[counter] > before[name].get(counter, 0.0), name
    for name, found in before.items():
        assert found["process_resident_memory_bytes"] > 0, name
        assert found["process_cpu_seconds_total"] > 0, name


async def goodbye(address: str, said: list[int]) -> None:
    """Follow a server's health until it says that it does not serve; note every word."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        with suppress(grpc.aio.AioRpcError):
            async for answer in stub.Watch(health_pb2.HealthCheckRequest()):
                said.append(answer.status)
                if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                    return


async def stop_and_watch(running: Running, name: str) -> list[int]:
    """Send SIGTERM; return what health said, once the process has ended in time and another one runs."""
    process = running.process(name)
    said: list[int] = []
    following = asyncio.create_task(goodbye(process.address, said)) if name in _SERVICES else None
    if following:
        await eventually(lambda: said)
    starts = running.kill(name, signal.SIGTERM)
    await eventually(lambda: not is_alive(process.pid), _DRAIN_S)
    if following:
        await following
    await running.wait_restarted(name, starts)
    return said


async def test_sigterm_under_load_drains_and_loses_nothing(mortal_stack: Running, client: Client) -> None:
    """One service after the other, in a burst: NOT_SERVING first, status 0, every accepted event delivered once."""
    await eventually(lambda: is_well(client), 60)
    variables = mortal_stack.variables
    sink = Sink(variables["CLARION_POSTGRES_URL"], variables["CLARION_NATS_URL"])
    user_id = f"drain-{secrets.token_hex(3)}"
    mark = await sink.mark(user_id)
    burst = Burst(client.tenant, user_id, user_id, ("SMS", "PUSH"))
    sending = asyncio.create_task(burst.run(300, 30_000, clients=16))
    try:
        await eventually(lambda: len(burst.accepted) > 50)
        for name in (*_SERVICES, "gateway"):
            at_least = len(burst.accepted)
            said = await stop_and_watch(mortal_stack, name)
            if name in _SERVICES:
                serving = health_pb2.HealthCheckResponse.SERVING
                assert said == [serving, health_pb2.HealthCheckResponse.NOT_SERVING], name
            await eventually(lambda least=at_least: len(burst.accepted) > least + 20, 60)
        burst.enough()
        await asyncio.wait_for(sending, 120)
        wanted = set(burst.accepted)

        async def all_there() -> bool:
            delivered = await sink.delivered(mark)
            return wanted <= set(delivered.sms) and wanted <= set(delivered.inbox)

        await until(all_there, "every delivery", deadline=120)
        await until(sink.quiet, "quiet", deadline=120)
        delivered = await sink.delivered(mark)
    finally:
        sending.cancel()
        await sink.close()
    assert {key: ids for key, ids in delivered.sms.items() if len(ids) > 1} == {}
    ended = re.findall(r"\] (\w+) ended \((.+)\): restarting", (mortal_stack.data / "run.log").read_text("utf-8"))
    for name in (*_SERVICES, "gateway"):
        assert [status for who, status in ended if who == name][-1] == "status 0", name
        [*_, stopped] = [line for line in lines(mortal_stack, name) if line["event"] == "stopped"]
        assert stopped["seconds"] < _DRAIN_S


def test_no_secret_is_in_any_log(mortal_stack: Running) -> None:
    """Nor where parts were away, hung or were stopped."""
    assert secrets_in_logs(mortal_stack) == []


def test_a_missing_prerequisite_is_one_sentence(tmp_path: Path) -> None:
    """What is missing, and nothing is left mortal_stack."""
    done = subprocess.run(
        [sys.executable, "-m", "stack"],
        cwd=processes.ROOT,
        env={**os.environ, "CLARION_DATA": str(tmp_path / "data"), "CLARION_CENTRIFUGO": "/nowhere/centrifugo"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr == "make run: CLARION_CENTRIFUGO names /nowhere/centrifugo, which is no program that can be run.\n"
    )
    assert not (tmp_path / "data" / "stack.json").exists()


def test_a_data_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A file is in its place."""
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "stack"],
        cwd=processes.ROOT,
        env={**os.environ, "CLARION_DATA": str(tmp_path / "file")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"make run: The data folder \S+/file cannot be created: .+\.\n", done.stderr)
