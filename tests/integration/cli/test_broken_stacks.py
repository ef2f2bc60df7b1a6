"""`clarion doctor` beside a whole stack, healthy and broken in many ways: each fault is named with its remedy."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import nats
import pytest

from checks.waiting import until
from runtime.bucket import ConfigurationBucket
from services.domain import topology
from stack import client as stack_client
from stack import processes
from stack.client import Running
from stack.local import Options
from tests.conftest import NatsServer, free_port


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack whose parts are broken here, one after the other; each test leaves it whole."""
    with stack_client.started(Options(data=tmp_path_factory.mktemp("doctor"), port=free_port())) as running:
        yield running


def _examine(stack: Running, changed: Mapping[str, str] | None = None) -> tuple[int, list[str]]:
    """Return the doctor's exit status, and the lines that are not fine."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", "doctor"],
        env={**os.environ, **stack.variables, **(changed or {})},
        cwd=processes.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.returncode, [line for line in done.stdout.splitlines()[:-1] if not line.startswith("ok")]


def test_nothing_is_wrong_with_a_healthy_stack(stack: Running) -> None:
    """Every line is fine."""
    assert _examine(stack) == (0, [])


@dataclass(frozen=True)
class Fault:
    """One wrong setting, and what the doctor says: the fault and its remedy."""

    variable: str
    wrong: Callable[[Mapping[str, str]], str]
    said: str
    remedy: str


_FAULTS = {
    "no database": Fault(
        "CLARION_POSTGRES_URL", lambda _: "postgresql://clarion@127.0.0.1:1/clarion", "cannot be reached", "Start it"
    ),
    "another database": Fault(
        "CLARION_POSTGRES_URL",
        lambda variables: variables["CLARION_POSTGRES_URL"].rpartition("/")[0] + "/postgres",
        "schema ingest lacks 0001_pre_ingest",
        "Run `clarion migrate`.",
    ),
    "no broker": Fault("CLARION_NATS_URL", lambda _: "nats://127.0.0.1:1", "cannot be reached", "Start it"),
    "another hub key": Fault(
        "CLARION_CENTRIFUGO_API_KEY",
        lambda _: "k" * 40,
        "the HTTP API answers 401 to our key",
        "Set CLARION_CENTRIFUGO_API_KEY to the server's http_api.key.",
    ),
    "another token secret": Fault(
        "CLARION_CENTRIFUGO_TOKEN_SECRET",
        lambda _: "t" * 40,
        "refuses our tokens",
        "Set CLARION_CENTRIFUGO_TOKEN_SECRET",
    ),
    "no hub": Fault("CLARION_CENTRIFUGO_URL", lambda _: "http://127.0.0.1:1", "cannot be reached", "Start it"),
    "a short secret": Fault(
        "CLARION_PRINCIPAL_SECRET",
        lambda _: "short",
        "CLARION_PRINCIPAL_SECRET is shorter than 32",
        "deploy/new-env.sh",
    ),
    "one secret twice": Fault(
        "CLARION_SERVICE_TOKEN",
        lambda variables: variables["CLARION_PRINCIPAL_SECRET"],
        "is the same as",
        "Use a different secret for each.",
    ),
    "a broken key": Fault(
        "CLARION_ENCRYPTION_KEYS", lambda _: "not-a-key", "CLARION_ENCRYPTION_KEYS:", "deploy/new-env.sh"
    ),
    "no service": Fault(
        "CLARION_RENDER_ADDRESS", lambda _: "127.0.0.1:1", "not serving at 127.0.0.1:1", "Look at its log"
    ),
    "no gateway": Fault("CLARION_GATEWAY_URL", lambda _: "http://127.0.0.1:1", "cannot be reached at", "Start it"),
}


@pytest.mark.parametrize("name", _FAULTS)
def test_a_wrong_setting_is_named_with_its_remedy(stack: Running, name: str) -> None:
    """As an operator finds it after a mistake in the environment, or with a part that does not run."""
    fault = _FAULTS[name]
    status, lines = _examine(stack, {fault.variable: fault.wrong(stack.variables)})
    assert status == 1
    assert any(fault.said in line and fault.remedy in line for line in lines), lines


def test_a_broker_that_does_not_sync_is_named(stack: Running, nats_server: NatsServer) -> None:
    """It answers like any other; only its monitoring page tells that a power failure would lose events."""
    nats_server.stop()
    config = nats_server.local.config
    config.write_text(config.read_text().replace("sync_interval: always", "sync_interval: 2m"))
    nats_server.start()
    changed = {"CLARION_NATS_URL": nats_server.url, "CLARION_NATS_MONITOR_URL": nats_server.local.monitor_url}
    status, lines = _examine(stack, changed)
    assert status == 1
    assert any("sync_interval is not `always`" in line and "Set it as in deploy/nats.conf" in line for line in lines)


async def _is_fine(stack: Running) -> bool:
    return await asyncio.to_thread(_examine, stack) == (0, [])


async def test_a_lost_stream_is_named(stack: Running) -> None:
    """And `clarion migrate`, which is the remedy, makes it again."""
    connection = await nats.connect(stack.variables["CLARION_NATS_URL"])
    try:
        await connection.jetstream().delete_stream(topology.TIMERS)
    finally:
        await connection.close()
    status, lines = _examine(stack)
    assert status == 1
    assert any("stream TIMERS is missing. Run `clarion migrate`." in line for line in lines), lines
    _migrate(stack)
    # The gateway may have noticed that it was gone, and looks again within seconds.
    await until(lambda: _is_fine(stack), "a healthy stack", deadline=60)


async def test_a_bucket_that_differs_is_named(stack: Running) -> None:
    """A key that no table has, as after a restored backup."""
    connection = await nats.connect(stack.variables["CLARION_NATS_URL"])
    try:
        await ConfigurationBucket(connection).put(topology.api_key_key("ab"), b"somebody's tenant")
    finally:
        await connection.close()
    status, lines = _examine(stack)
    assert status == 1
    assert any("1 left over" in line and "Run `clarion migrate`." in line for line in lines), lines
    _migrate(stack)
    assert _examine(stack) == (0, [])


async def test_a_process_that_hangs_is_named(stack: Running) -> None:
    """It is there, but does not answer."""
    pid = stack.pid("router")
    os.kill(pid, signal.SIGSTOP)
    try:
        status, lines = _examine(stack)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert status == 1
    assert any(line.startswith("FAIL  router") and "Look at its log" in line for line in lines), lines

    async def whole() -> bool:
        return _examine(stack) == (0, [])

    await until(whole, "the stack to be whole again", deadline=60)


def _migrate(stack: Running) -> None:
    subprocess.run(
        [sys.executable, "-m", "cli", "migrate"],
        env={**os.environ, **stack.variables},
        cwd=processes.ROOT,
        capture_output=True,
        timeout=60,
        check=True,
    )
