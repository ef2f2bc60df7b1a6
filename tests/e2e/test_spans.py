"""One event is one trace, from the HTTP request to the provider's answer, as a real collector sees it."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

import pytest
import pytest_asyncio
from aiohttp import web

from checks.client import Client, Tenant, connect, order
from checks.waiting import until
from stack import client as stack_client
from stack.client import Running
from stack.local import Options
from tests.collector import Collector, Seen, collecting
from tests.conftest import free_port
from tests.e2e.logs import lines
from tests.e2e.test_retry_and_dead_letter import BODY, LATER, OnceLater, letter, mail_tenant
from tests.integration.senders.mail_servers import serving
from tests.waiting import eventually

pytestmark = pytest.mark.slow

_ACCEPT = "clarion.ingest.v1.IngestService/AcceptEvents"
_RENDER = "clarion.render.v1.RenderService/RenderBatch"
_TRIGGER = "POST /api/v1/events/trigger"
# From the answer of the provider up to the request, where the first attempt's provider took it.
_WAY_IN = [
    ("senders", "consumer", "process deliveries"),
    ("router", "producer", "publish deliveries"),
    ("router", "consumer", "process events"),
    ("ingest", "producer", "publish events"),
    ("ingest", "internal", "accept event"),
    ("ingest", "server", _ACCEPT),
    ("gateway", "client", _ACCEPT),
    ("gateway", "server", _TRIGGER),
]


# Of an event on three channels.
_STEPS = {
    "accept event": 1,
    "publish events": 1,
    "process events": 1,
    "publish deliveries": 3,
    "process deliveries": 3,
    "render template": 3,
}


@dataclass
class Traced:
    """A stack whose processes send their spans to a collector."""

    running: Running
    collector: Collector
    client: Client
    provider_port: int

    async def ended(self, event_id: str, trace_id: str) -> list[Seen]:
        """Return the spans of an event's trace once the event has ended, and its request's span has arrived."""
        await until(lambda: self.client.operator.finished(event_id), "the event's end", deadline=60)
        spans: list[Seen] = []
        known = -1
        while len(spans) != known:  # what belongs together is exported by several processes, each in its time
            known = len(spans)
            await eventually(lambda: [span for span in self.collector.trace(trace_id) if span.name == _TRIGGER], 60)
            await self.exported()
            spans = self.collector.trace(trace_id)
        return spans

    async def exported(self) -> None:
        """Return when every process has exported once more: what a later event leaves behind comes after the rest."""
        answer = await self.client.tenant.trigger(order(f"T-{secrets.token_hex(4)}", "later"))
        await until(lambda: self.client.operator.finished(answer.event_id), "the event's end", deadline=60)
        trace_id = answer.headers["X-Trace-Id"]
        services = {"gateway", "ingest", "router", "render", "senders", "realtime"}
        await eventually(lambda: services <= {_service(span) for span in self.collector.trace(trace_id)}, 60)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def traced(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    """A stack of its own, a collector beside it."""
    folder = tmp_path_factory.mktemp("spans")
    provider_port = free_port()
    async with collecting(folder) as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.http_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "CLARION_RETRY_DELAYS_S": "0.2,0.4",
            "CLARION_PROVIDER_URLS": f"resend=http://127.0.0.1:{provider_port}",
            "CLARION_EGRESS_ALLOW": "127.0.0.1:*",
        }
        options = Options(data=folder / "stack", port=free_port())
        async with stack_client.run(options, environment=environment) as running, connect(running.state) as client:
            yield Traced(running, collector, client, provider_port)


def _service(span: Seen) -> str:
    return span.service.removeprefix("clarion-")


def _way_up(spans: Sequence[Seen], leaf: Seen) -> list[tuple[str, str, str]]:
    """Return the spans above one, up to the root: service, kind and name."""
    known = {span.span_id: span for span in spans}
    way = []
    while (parent := known.get(leaf.parent_id)) is not None:
        leaf = parent
        way.append((_service(leaf), leaf.kind, leaf.name))
    return way


async def test_a_retried_mail_is_one_trace(traced: Traced) -> None:
    """The first attempt's refusal and the second attempt's success hang below the request's traceparent."""
    trace_id, parent = secrets.token_hex(16), secrets.token_hex(8)
    catcher = OnceLater(rcpt=LATER)
    async with serving(catcher) as port:
        tenant = await mail_tenant(traced.client, port)
        answer = await tenant.trigger(letter(1), headers={"traceparent": f"00-{trace_id}-{parent}-01"})
        assert answer.headers["X-Trace-Id"] == trace_id
        spans = await traced.ended(answer.event_id, trace_id)
    [request] = [span for span in spans if span.name == _TRIGGER]
    assert request.parent_id == parent
    refused, sent = sorted((span for span in spans if span.name == "SMTP"), key=lambda span: not span.is_error)
    assert refused.attributes["error.type"] == "SMTPRecipientRefused"
    assert not sent.is_error
    assert sent.attributes == {
        "server.address": "127.0.0.1",
        "server.port": str(port),
        "network.protocol.name": "smtp",
    }
    assert _way_up(spans, refused) == _WAY_IN
    again = [("senders", "consumer", "process timers"), ("senders", "producer", "publish timers")]
    assert _way_up(spans, sent) == [*again, *_WAY_IN]
    renders = [span for span in spans if span.name == "render template"]
    assert [_way_up(spans, span)[0] for span in renders] == [("render", "server", _RENDER)] * 2
    [first] = [span for span in spans if span.name == "process deliveries"]
    assert (first.attributes["clarion.status"], first.attributes["clarion.reason"]) == ("retrying", "provider_deferred")
    assert {span.attributes["clarion.event_id"] for span in spans if span.kind == "consumer"} == {answer.event_id}
    _assert_discreet(traced, tenant, spans, "u@example.com", "Letter 1")


def _assert_discreet(traced: Traced, tenant: Tenant, spans: Sequence[Seen], *private: str) -> None:
    """No address, content, key or token stands in a span."""
    raw = "".join(span.raw for span in spans)
    for text in (tenant.api_key, traced.running.state.admin_token, *private):
        assert text not in raw


async def test_an_api_s_answer_is_in_the_trace_and_its_own_header_is_not_sent_there(traced: Traced) -> None:
    """A provider's API is a client span with its status; a third party is told nothing of our traces."""
    headers: list[str] = []
    statuses = [503, 200]

    async def take(request: web.Request) -> web.Response:
        headers.extend(name.lower() for name in request.headers)
        return web.json_response({"id": secrets.token_hex(8)}, status=statuses.pop(0))

    app = web.Application()
    app.router.add_post("/emails", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", traced.provider_port).start()
    try:
        settings = {"api_key": "re_traced_123456789", "from_email": "us@tenant.example"}
        tenant = await traced.client.operator.create_tenant("Traced", providers={"EMAIL": ("resend", settings)})
        await traced.client.operator.create_template(tenant, "letter", "EMAIL", BODY, subject="Letter {{n}}")
        answer = await tenant.trigger(letter(2))
        spans = await traced.ended(answer.event_id, answer.headers["X-Trace-Id"])
    finally:
        await runner.cleanup()
    calls = [span for span in spans if span.attributes.get("server.port") == str(traced.provider_port)]
    assert {span.attributes["http.response.status_code"]: span.is_error for span in calls} == {
        "503": True,
        "200": False,
    }
    assert _way_up(spans, next(span for span in calls if span.is_error)) == _WAY_IN
    assert "traceparent" not in headers
    _assert_discreet(traced, tenant, spans, "re_traced", "u@example.com")


async def test_events_of_one_batch_stay_in_their_own_traces(traced: Traced) -> None:
    """Forty at a time share calls and batches; each has all of its steps in its own trace, and nobody else's."""
    answers = await asyncio.gather(
        *[traced.client.tenant.trigger(order(f"B-{number}-{secrets.token_hex(4)}", "batch")) for number in range(40)]
    )
    for answer in answers:
        await until(partial(traced.client.operator.finished, answer.event_id), "the event's end", deadline=60)
    await traced.exported()
    for answer in answers:
        spans = traced.collector.trace(answer.headers["X-Trace-Id"])
        names = Counter(span.name for span in spans if span.kind in ("producer", "consumer", "internal"))
        assert names == _STEPS
        assert {span.attributes.get("clarion.event_id", answer.event_id) for span in spans} == {answer.event_id}
    shared = [span for span in traced.collector.spans if span.name == _ACCEPT and span.kind == "client" and span.links]
    assert shared  # else nothing was batched, and this proves nothing


async def test_log_lines_name_their_span(traced: Traced) -> None:
    """The request's line has the span's id; where the caller chose the trace id, the trace stands beside it."""
    chosen = f"order-{secrets.token_hex(8)}"
    answer = await traced.client.tenant.trigger(order("L-1", "log"), headers={"X-Trace-Id": chosen})
    await until(lambda: traced.client.operator.finished(answer.event_id), "the event's end", deadline=60)
    [line] = await eventually(
        lambda: [line for line in lines(traced.running, "gateway") if line.get("trace_id") == chosen]
    )
    assert line["trace_id"] == chosen
    [request] = await eventually(
        lambda: [span for span in traced.collector.trace(line["otel_trace_id"]) if span.name == _TRIGGER]
    )
    assert request.span_id == line["span_id"]
