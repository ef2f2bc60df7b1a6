"""A real OpenTelemetry Collector for the tests: built once from main.go, run as a process of its own.

It receives OTLP as any collector does, and hands the spans on as JSON to a server of the test.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from stack import go_program
from stack.launch import command_for
from tests.conftest import free_port
from tests.waiting import eventually, listens

_ROOT = Path(__file__).parents[2]
_PROGRAM = go_program.GoProgram("collector", "The OpenTelemetry collector", Path(__file__).parent)
_INTERNAL, _SERVER, _CLIENT, _PRODUCER, _CONSUMER = range(1, 6)
KINDS = {_INTERNAL: "internal", _SERVER: "server", _CLIENT: "client", _PRODUCER: "producer", _CONSUMER: "consumer"}


@dataclass(frozen=True)
class Seen:
    """One span as the collector handed it on."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: Mapping[str, Any]
    links: tuple[str, ...]
    is_error: bool
    raw: str


@dataclass
class Collector:
    """The running collector. spans: all that it has handed on."""

    http_port: int
    grpc_port: int
    spans: list[Seen] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[Seen]:
        """Return the spans of a trace."""
        return [span for span in self.spans if span.trace_id == trace_id]

    async def take(self, request: web.Request) -> web.Response:
        """Take an OTLP export, as JSON."""
        self.spans += _spans(await request.json())
        return web.json_response({})


def _spans(export: dict[str, Any]) -> list[Seen]:
    return [
        Seen(
            service=_attributes(of_resource["resource"])["service.name"],
            name=span["name"],
            kind=KINDS[span["kind"]],
            trace_id=span["traceId"],
            span_id=span["spanId"],
            parent_id=span.get("parentSpanId", ""),
            attributes=_attributes(span),
            links=tuple(link["traceId"] for link in span.get("links", ())),
            is_error=span.get("status", {}).get("code") == 2,
            raw=json.dumps(span),
        )
        for of_resource in export["resourceSpans"]
        for of_scope in of_resource["scopeSpans"]
        for span in of_scope["spans"]
    ]


def _attributes(owner: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in owner.get("attributes", ())}


def program() -> Path:
    """Return the collector, built if need be. Skips the test, and says why, where that cannot be done."""
    try:
        return go_program.build(_PROGRAM, _ROOT / "build", print)
    except go_program.GoBuildError as error:
        pytest.skip(f"no OpenTelemetry collector: {error}")


@asynccontextmanager
async def collecting(folder: Path) -> AsyncIterator[Collector]:
    """Run a collector for the length of the block. folder: for its configuration and its log."""
    binary = await asyncio.to_thread(program)
    collector = Collector(free_port(), free_port())
    app = web.Application(client_max_size=64 * 1024**2)
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    back = free_port()
    await web.TCPSite(runner, "127.0.0.1", back).start()
    config = folder / "collector.yaml"
    config.write_text(_configuration(collector, back), encoding="utf-8")
    with (folder / "collector.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command_for((str(binary), "--config", str(config)), death_signal=9), stdout=log, stderr=log
        )
        try:
            await eventually(lambda: _listens(collector, process), 60)
            yield collector
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            await runner.cleanup()


def _configuration(collector: Collector, back: int) -> str:
    return f"""
receivers:
  otlp:
    protocols:
      http: {{endpoint: "127.0.0.1:{collector.http_port}"}}
      grpc: {{endpoint: "127.0.0.1:{collector.grpc_port}"}}
exporters:
  otlp_http:
    endpoint: "http://127.0.0.1:{back}"
    encoding: json
    compression: none
    sending_queue: {{enabled: false}}
service:
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlp_http]}}
"""


async def _listens(collector: Collector, process: asyncio.subprocess.Process) -> bool:
    assert process.returncode is None, "the collector has ended: see collector.log"
    return await listens(collector.http_port) and await listens(collector.grpc_port)
