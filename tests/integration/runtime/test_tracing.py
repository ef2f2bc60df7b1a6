"""Spans of a process of its own, set up by the standard variables alone, as a real collector receives them."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runtime.tracing import setup
from tests.collector import collecting
from tests.waiting import eventually

_PROCESS = """
import asyncio, os
from runtime import logs, tracing

async def main():
    logs.configure("x")
    tracing.start("x", os.environ)
    with tracing.web_client("POST", "api.example.com", 443) as span:
        span.status(200)
    await tracing.stop(1.0)
    print(tracing.is_on(), flush=True)
    os._exit(0)

asyncio.run(main())
"""


def _run(**variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", _PROCESS],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        env={**environment, **variables},
    )
    return done.stdout


@pytest.mark.parametrize("protocol", ["", "http/protobuf", "grpc"])
async def test_each_protocol_reaches_a_collector(tmp_path: Path, protocol: str) -> None:
    """What is left is exported when the process ends. The service's name is ours unless it is given."""
    async with collecting(tmp_path) as collector:
        port = collector.grpc_port if protocol == "grpc" else collector.http_port
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        await asyncio.to_thread(_run, **variables)
        await asyncio.to_thread(_run, **variables, OTEL_SERVICE_NAME="mine")
        await eventually(lambda: len(collector.spans) == 2)
        assert [(span.service, span.name) for span in collector.spans] == [("clarion-x", "POST"), ("mine", "POST")]


async def test_the_standard_sampler_is_obeyed(tmp_path: Path) -> None:
    """always_off exports nothing, while the process makes spans as before."""
    async with collecting(tmp_path) as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.http_port}"}
        assert "True" in await asyncio.to_thread(_run, **variables, OTEL_TRACES_SAMPLER="always_off")
        await asyncio.to_thread(_run, **variables, OTEL_SERVICE_NAME="sampled")
        await eventually(lambda: collector.spans)
        assert [span.service for span in collector.spans] == ["sampled"]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
    ],
)
def test_what_cannot_be_exported_is_said_and_the_process_runs(variables: dict[str, str], words: str) -> None:
    """One line in the log that names the variable."""
    output = _run(**variables)
    assert '"event":"tracing_unavailable"' in output
    assert words in output
    assert output.splitlines()[-1] == "False"


async def test_a_collector_that_is_away_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter tries for as long as it likes; whoever waits for the flush goes on after its own time."""
    release = threading.Event()

    class Away:
        def force_flush(self, _timeout_ms: int) -> None:
            release.wait(60)

    monkeypatch.setattr(setup, "_provider", Away())
    await setup.flush(0.01)
    assert not release.is_set()
    release.set()
    await setup.flush(60)
