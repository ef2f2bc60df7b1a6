"""Spans made in the test's own process, and collected there."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from runtime import tracing
from runtime.tracing.conventions import Conventions


class Recorded:
    """The spans that have ended."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> list[ReadableSpan]:
        """Return them in the order of their ends."""
        return list(self._exporter.get_finished_spans())

    def one(self, name: str) -> ReadableSpan:
        """Return the only one of a name."""
        [span] = [span for span in self.all() if span.name == name]
        return span


@contextmanager
def recorded_spans() -> Iterator[Recorded]:
    """Make spans in the block, as if the environment had asked for them."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing._on = Conventions(provider.get_tracer("tests"))
    try:
        yield Recorded(exporter)
    finally:
        tracing._on = None
        provider.shutdown()


def parent_of(span: ReadableSpan) -> int:
    """Return the id of a span's parent; 0: it has none."""
    return span.parent.span_id if span.parent is not None else 0


def id_of(span: ReadableSpan) -> int:
    """Return a span's id."""
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def trace_of(span: ReadableSpan) -> int:
    """Return a span's trace."""
    context = span.get_span_context()
    assert context is not None
    return context.trace_id
