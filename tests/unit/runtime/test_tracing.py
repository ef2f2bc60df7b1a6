"""Spans: off and free unless asked for, named by the conventions, and each item's own over a batch."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from opentelemetry.trace import SpanKind, StatusCode

from runtime import tracing
from runtime.batching import Batcher, BatchLimits
from runtime.tracing.environment import wants_spans
from tests.spans import Recorded, id_of, parent_of, recorded_spans, trace_of

_TRACE = "5e0c63257de34c926f1b2d6a04f8d917"
_PARENT = "00f067aa0ba902b7"
_CARRIED = f"00-{_TRACE}-{_PARENT}-01"


@pytest.fixture
def spans() -> Iterator[Recorded]:
    """Spans are made, and collected."""
    with recorded_spans() as recorded:
        yield recorded


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER": "always_on"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, False),
        ({"OTEL_SDK_DISABLED": "false", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
    ],
)
def test_only_the_environment_turns_spans_on(environment: dict[str, str], wanted: bool) -> None:  # noqa: FBT001 - a case
    """An exporter or an endpoint for traces, unless the SDK is disabled; nothing else."""
    assert wants_spans(environment) is wanted


@pytest.mark.parametrize("module", ["gateway", "services.router", "services.senders"])
def test_nothing_of_opentelemetry_is_loaded_while_spans_are_off(module: str) -> None:
    """Off costs no memory and no start-up time, though the packages are installed here."""
    code = (
        f"import sys, {module}.__main__; from runtime import tracing; tracing.start('x', {{}});"
        "print(*[name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""


def test_without_the_packages_a_process_says_so_and_goes_on() -> None:
    """The variables may be set for a whole cluster; a missing package must not stop the service."""
    code = (
        "import sys; sys.modules['opentelemetry'] = None; from runtime import logs, tracing;"
        "logs.configure('x'); tracing.start('x', {'OTEL_TRACES_EXPORTER': 'otlp'}); print(tracing.is_on())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert '"event":"tracing_unavailable"' in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def test_every_service_of_compose_can_export_spans() -> None:
    """deploy/tracing.yml gives the variables to each service that runs a role, and to no other."""
    root = Path(__file__).parents[3]
    given = yaml.safe_load((root / "deploy" / "tracing.yml").read_text(encoding="utf-8"))["services"]
    services = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    roles = {name for name, service in services.items() if "python" in (service.get("command") or ())}
    assert given.keys() == roles
    for service in given.values():
        assert wants_spans({**service["environment"], "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"})


def test_off_is_a_span_that_does_nothing() -> None:
    """Every call works, carries nothing, and is the same object: nothing is made."""
    with tracing.web_server("GET", {"traceparent": _CARRIED}) as span:
        span.set("http.route", "/x")
        span.status(500)
        span.fail("x")
    assert span is tracing.OFF
    assert (dict(span.headers), tuple(span.metadata), span.trace_id) == ({}, (), "")
    assert (
        tracing.consume("events.1", {}, 1) is tracing.rpc_client("/a/b") is tracing.item("x", _CARRIED) is tracing.OFF
    )
    assert tracing.traceparent() == tracing.trace_id() == ""


def test_a_request_is_a_server_span_below_its_traceparent(spans: Recorded) -> None:
    """Named by method and route; only a fault of ours is an error of it."""
    with tracing.web_server("POST", {"traceparent": _CARRIED}) as span:
        assert tracing.trace_id() == _TRACE
        span.set("http.route", "/api/v1/things/{id}")
        span.status(404)
    with tracing.web_server("INVENTED", {}) as other:
        other.status(503)
    found = spans.one("POST /api/v1/things/{id}")
    assert (found.kind, parent_of(found)) == (SpanKind.SERVER, int(_PARENT, 16))
    assert dict(found.attributes or {}) == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/api/v1/things/{id}",
        "http.response.status_code": 404,
    }
    assert found.status.status_code is StatusCode.UNSET
    failed = spans.one("HTTP")
    assert (failed.attributes or {})["http.request.method"] == "_OTHER"
    assert (failed.attributes or {})["error.type"] == "503"
    assert failed.status.status_code is StatusCode.ERROR


def test_a_callers_tracestate_goes_nowhere(spans: Recorded) -> None:
    """It may have 8 KiB, which each message of the event would carry beside its counted size."""
    carried = {"traceparent": _CARRIED, "tracestate": f"a={'x' * 200}"}
    with tracing.web_server("POST", carried) as span:
        assert [*span.headers] == ["traceparent"]
    with tracing.rpc_server("/a/b", carried.items()) as call:
        assert [name for name, _ in call.metadata] == ["traceparent"]
    assert parent_of(spans.one("POST")) == parent_of(spans.one("a/b")) == int(_PARENT, 16)


def test_what_a_block_raises_marks_its_span(spans: Recorded) -> None:
    """By the exception's class: its text may quote data."""
    with pytest.raises(TimeoutError), tracing.web_client("POST", "api.example.com", 443):
        raise TimeoutError("to ada@example.com")
    found = spans.one("POST")
    assert (found.attributes or {})["error.type"] == "TimeoutError"
    assert found.status.description is None
    assert not found.events


def test_a_message_is_one_trace_from_its_producer_to_its_consumer(spans: Recorded) -> None:
    """The producer's span travels in the header; a message without a span around it makes none."""
    assert tracing.produce("events.7", 10) is tracing.OFF
    with tracing.web_server("POST", {}) as request:
        published = tracing.produce("events.7", 10)
    published.end()
    consumed = tracing.consume("events.7", published.headers, 10)
    consumed.end()
    producer, consumer = spans.one("publish events"), spans.one("process events")
    assert (producer.kind, consumer.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER)
    assert f"{trace_of(producer):032x}" == f"{trace_of(consumer):032x}" == request.trace_id
    assert parent_of(consumer) == id_of(producer)
    assert dict(producer.attributes or {}) == {
        "messaging.system": "nats",
        "messaging.operation.type": "send",
        "messaging.operation.name": "publish",
        "messaging.destination.name": "events",
        "messaging.message.body.size": 10,
    }


async def _flushed(spans: Recorded, traces: int) -> tuple[list[str], int]:
    """Submit four items in so many traces, in one batch; return the traces of the batch's own span and of its links."""

    async def flush(items: list[int]) -> list[int]:
        with tracing.rpc_client("/a.B/Call"):
            return items

    batcher = Batcher(flush, BatchLimits(items=10))
    requests = [tracing.web_server("POST", {}) for _ in range(traces)]
    futures = []
    for number in range(4):
        with requests[number % traces].current():
            futures.append(batcher.enqueue(number))
    await asyncio.gather(*futures)
    call = spans.one("a.B/Call")
    expected = {request.trace_id for request in requests}
    linked = {f"{link.context.trace_id:032x}" for link in call.links}
    assert linked == (expected if traces > 1 else set())
    return sorted(expected), trace_of(call)


async def test_a_batch_of_one_trace_is_part_of_it(spans: Recorded) -> None:
    """All items came from one request: the call is its child."""
    [own], call = await _flushed(spans, 1)
    assert f"{call:032x}" == own


async def test_a_batch_of_several_traces_is_a_trace_of_its_own_that_links_to_theirs(spans: Recorded) -> None:
    """Whoever submitted first does not own the call."""
    own, call = await _flushed(spans, 2)
    assert f"{call:032x}" not in own


def test_an_item_of_a_batch_is_in_its_own_trace(spans: Recorded) -> None:
    """Whatever the call's: it links to the call; in the call's own trace it is the call's child."""
    with tracing.rpc_server("/a.B/Call", [("traceparent", _CARRIED)]):
        tracing.item("same", _CARRIED).end()
        tracing.item("other", f"00-{_TRACE[::-1]}-{_PARENT}-01").end()
        assert tracing.item("none", "") is tracing.OFF
    call, same, other = spans.one("a.B/Call"), spans.one("same"), spans.one("other")
    assert parent_of(same) == id_of(call)
    assert not same.links
    assert f"{trace_of(other):032x}" == _TRACE[::-1]
    assert [link.context.span_id for link in other.links] == [id_of(call)]


def test_a_log_line_names_its_span(spans: Recorded) -> None:
    """And the trace, where the line's own trace id is the caller's X-Trace-Id."""
    assert tracing.log_fields("") == {}
    with tracing.web_server("GET", {"traceparent": _CARRIED}):
        assert tracing.log_fields(_TRACE).keys() == {"span_id"}
        assert tracing.log_fields("order-7")["otel_trace_id"] == _TRACE
