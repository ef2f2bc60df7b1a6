"""Optional OpenTelemetry spans: over HTTP, gRPC and NATS one event is one trace.

Nothing of OpenTelemetry is imported until start() finds that the environment asks for it; until then each function
here returns OFF, a span that does nothing. Names and attributes of spans are in conventions.py, the SDK in setup.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Self

from runtime.tracing.environment import wants_spans

if TYPE_CHECKING:
    from runtime.tracing import conventions as _conventions

__all__ = [
    "OFF",
    "Span",
    "annotate",
    "batch",
    "consume",
    "current",
    "detached",
    "is_on",
    "item",
    "log_fields",
    "produce",
    "rpc_client",
    "rpc_server",
    "start",
    "stop",
    "trace_id",
    "traceparent",
    "web_client",
    "web_server",
]


class Span:
    """One span. As a context manager it is the current span of the block, and ends with it. This one does nothing."""

    __slots__ = ()

    # The trace's 32 hex digits; empty: there is none.
    trace_id = ""
    # What carries the span to another process: for HTTP and NATS, and for gRPC.
    headers: Mapping[str, str] = {}
    metadata: Sequence[tuple[str, str]] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        pass

    def current(self) -> AbstractContextManager[object]:
        """Make it the current span of a block, and do not end it there."""
        return nullcontext()

    def end(self) -> None:
        """End it. A second time is harmless."""

    def set(self, name: str, value: str | int) -> None:
        """Set an attribute."""

    def status(self, code: int | str) -> None:
        """Note how the other side, or this one, answered: an HTTP status, or the name of a gRPC status."""

    def fail(self, kind: str) -> None:
        """Mark it as failed, unless it is already. kind: a constant such as "timeout", not a text that quotes data."""


OFF = Span()

_on: _Conventions | None = None


if TYPE_CHECKING:
    _Conventions = _conventions.Conventions


def is_on() -> bool:
    """Return whether spans are made."""
    return _on is not None


def start(service: str, environment: Mapping[str, str]) -> None:
    """Make spans from now on, if the standard OTEL_* variables ask for them. service: such as "router".

    A mistake in them is logged, and the process runs without spans.
    """
    global _on  # noqa: PLW0603 - one for the process, as the SDK's own
    if not wants_spans(environment):
        return
    from runtime import logs

    try:
        from runtime.tracing import conventions, setup

        tracer = setup.tracer(service, environment)
    except ImportError as error:
        logs.get(__name__).error("tracing_unavailable", error=str(error), hint="install clarion[otel]")
        return
    except ValueError as error:
        logs.get(__name__).error("tracing_unavailable", error=str(error), hint="see docs/observability.md")
        return
    _on = conventions.Conventions(tracer)
    logs.get(__name__).info("tracing_started", exporter=setup.exporter_name(environment))


async def stop(timeout_s: float) -> None:
    """Export what is left, for up to timeout_s seconds."""
    if _on is not None:
        from runtime.tracing import setup

        await setup.flush(timeout_s)


def web_server(method: str, headers: Mapping[str, str]) -> Span:
    """Return the span of an HTTP request that is answered here, child of its traceparent."""
    return OFF if _on is None else _on.web_server(method, headers)


def web_client(method: str, host: str, port: int | None = None, *, protocol: str = "http") -> Span:
    """Return the span of a request to another server. Its address is not traced beyond host and port."""
    return OFF if _on is None else _on.web_client(method, host, port, protocol)


def rpc_server(method: str, metadata: Iterable[tuple[str, Any]] | None) -> Span:
    """Return the span of a gRPC call that is answered here. method: "/package.Service/Method"."""
    return OFF if _on is None else _on.rpc_server(method, metadata)


def rpc_client(method: str) -> Span:
    """Return the span of a gRPC call that is made here."""
    return OFF if _on is None else _on.rpc_client(method)


def produce(subject: str, size: int, parent: Span | None = None) -> Span:
    """Return the span of a message that is published; OFF where neither parent nor a current span is there."""
    return OFF if _on is None else _on.produce(subject, size, parent)


def consume(subject: str, headers: Mapping[str, str], size: int) -> Span:
    """Return the span of handling a message from a stream, child of the one that published it."""
    return OFF if _on is None else _on.consume(subject, headers, size)


def item(name: str, carried: str) -> Span:
    """Return the span of one item of a batch, child of the span whose traceparent came with the item."""
    return OFF if _on is None else _on.item(name, carried)


def annotate(**attributes: str | int) -> None:
    """Set attributes "clarion.<name>" of the current span."""
    if _on is not None:
        _on.annotate(attributes)


def trace_id() -> str:
    """Return the current span's trace, 32 hex digits; empty: there is none."""
    return "" if _on is None else _on.trace_id()


def traceparent() -> str:
    """Return the current span as the text that an item of a batch carries; empty: there is none."""
    return "" if _on is None else _on.traceparent()


def current() -> object | None:
    """Return the current span for batch(); None: there is none."""
    return None if _on is None else _on.current()


def batch(spans: Sequence[object | None]) -> AbstractContextManager[object]:
    """Run a block for several items: in their span if all have the same one, else spans in it link to theirs."""
    return nullcontext() if _on is None else _on.batch(spans)


def detached() -> AbstractContextManager[object]:
    """Run a block in no span."""
    return nullcontext() if _on is None else _on.detached()


def log_fields(trace_id: str) -> Mapping[str, str]:
    """Return the fields that join a log line to the current span. trace_id: the line's own, which may be another."""
    return {} if _on is None else _on.log_fields(trace_id)
