"""OpenTelemetry's SDK, set up from its standard variables. Loaded only where they ask for spans."""

import asyncio
import contextlib
import os
import threading
import uuid
from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter

_provider: TracerProvider | None = None


def tracer(service: str, environment: Mapping[str, str]) -> trace.Tracer:
    """Return the process's tracer. The SDK reads sampler, limits, batching and endpoint from the environment itself.

    Raises ImportError: an exporter that is not installed. ValueError: one that is not known.
    """
    global _provider  # noqa: PLW0603 - one for the process, as the SDK's own
    for name in [name for name, value in os.environ.items() if name.startswith("OTEL_") and not value.strip()]:
        del os.environ[name]  # the SDK would take "" for a value that it does not know
    # Passed attributes win over the environment's: name the service only where the operator has not.
    attributes = {"service.namespace": "clarion", "service.instance.id": str(uuid.uuid4())}
    if not environment.get("OTEL_SERVICE_NAME") and "service.name=" not in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        attributes["service.name"] = f"clarion-{service}"
    # Not at exit of the interpreter: a process of ours ends by os._exit, after flush().
    _provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(_exporter(environment)))
    trace.set_tracer_provider(_provider)
    return _provider.get_tracer("clarion")


def exporter_name(environment: Mapping[str, str]) -> str:
    """Return what the exporter is called: "console", or the OTLP protocol."""
    if environment.get("OTEL_TRACES_EXPORTER", "").strip() == "console":
        return "console"
    return (
        environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "").strip()
        or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").strip()
        or "http/protobuf"
    )


def _exporter(environment: Mapping[str, str]) -> SpanExporter:
    kind = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if kind == "console":
        return ConsoleSpanExporter()
    if kind != "otlp":
        raise ValueError(f"OTEL_TRACES_EXPORTER is {kind!r}: only otlp, console and none are known.")
    protocol = exporter_name(environment)
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter()
    if protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

        return HttpExporter()
    raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}: only grpc and http/protobuf are known.")


async def flush(timeout_s: float) -> None:
    """Export what is left. It runs in a thread that does not hold up the end of the process."""
    if _provider is None:
        return
    provider, done = _provider, asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        provider.force_flush(int(timeout_s * 1000))
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=work, name="trace-flush", daemon=True).start()
    try:
        async with asyncio.timeout(timeout_s):
            await done.wait()
    except TimeoutError:  # a collector that is away loses the last spans, and nothing else
        return
