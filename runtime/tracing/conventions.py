"""Spans by OpenTelemetry's semantic conventions for HTTP, RPC and messaging. Loaded only where spans are asked for.

What stays out on purpose: paths and queries of URLs (they hold ids, addresses and tokens), bodies, headers, addresses
of peers, texts of errors, ids of messages (some are hashes of contents). The attributes "clarion.…" are our own ids and
words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from runtime.tracing import OFF, Span

_LINKS = otel_context.create_key("clarion-links")
_PROPAGATOR = TraceContextTextMapPropagator()
_TRACEPARENT = "traceparent"
_MAX_LINKS = 128
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
_SYSTEM = "nats"
_OUR_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})


class _Span(Span):
    """A span of the SDK."""

    __slots__ = ("_context", "_failed", "_kind", "_protocol", "_span", "_token")

    def __init__(self, span: trace.Span, kind: SpanKind, protocol: str) -> None:
        self._span = span
        self._kind = kind
        self._protocol = protocol
        self._context = trace.set_span_in_context(span, otel_context.Context())
        self._token: Any = None
        self._failed = False

    @property
    def context(self) -> otel_context.Context:
        return self._context

    @property
    def trace_id(self) -> str:  # type: ignore[override]  # a constant of the span that does nothing
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    @property
    def headers(self) -> Mapping[str, str]:  # type: ignore[override]  # as above
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier, self._context)
        return carrier

    @property
    def metadata(self) -> Sequence[tuple[str, str]]:  # type: ignore[override]  # as above
        return tuple(self.headers.items())

    def __enter__(self) -> Self:
        self._token = otel_context.attach(self._context)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        otel_context.detach(self._token)
        if kind is not None:
            self.fail(kind.__name__)
        self.end()

    def current(self) -> AbstractContextManager[object]:
        return _attached(self._context)

    def end(self) -> None:
        if self._span.is_recording():
            self._span.end()

    def set(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def status(self, code: int | str) -> None:
        if self._protocol == "rpc":
            self._span.set_attribute("rpc.response.status_code", code)
            # To a server its callers' faults are none; to a client they are.
            if code in _OUR_FAULTS or (code != "OK" and self._kind is SpanKind.CLIENT):
                self.fail(str(code))
            return
        self._span.set_attribute("http.response.status_code", code)
        if int(code) >= (500 if self._kind is SpanKind.SERVER else 400):
            self.fail(str(code))

    def fail(self, kind: str) -> None:
        if self._failed:
            return
        self._failed = True
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))


class Conventions:
    """Makes spans with the names and attributes of the conventions."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer

    def web_server(self, method: str, headers: Mapping[str, str]) -> Span:
        """See runtime.tracing. The name gets its route by set("http.route", …)."""
        known = method if method in _METHODS else "_OTHER"  # callers invent as many as they like
        name = known if known == method else "HTTP"
        span = self._start(
            name,
            SpanKind.SERVER,
            {"http.request.method": known, "url.scheme": "http"},
            context=_PROPAGATOR.extract(_lower(headers), otel_context.Context()),
        )
        return _WebServerSpan(span, SpanKind.SERVER, "http", name)

    def web_client(self, method: str, host: str, port: int | None, protocol: str) -> Span:
        """See runtime.tracing."""
        attributes: dict[str, str | int] = {"server.address": host}
        if port:
            attributes["server.port"] = port
        if protocol == "http":
            attributes["http.request.method"] = method
        else:
            attributes["network.protocol.name"] = protocol
        return _Span(self._start(method, SpanKind.CLIENT, attributes), SpanKind.CLIENT, protocol)

    def rpc_server(self, method: str, metadata: Iterable[tuple[str, Any]] | None) -> Span:
        """See runtime.tracing."""
        carrier = {key: value for key, value in metadata or () if key == _TRACEPARENT and isinstance(value, str)}
        context = _PROPAGATOR.extract(carrier, otel_context.Context())
        return _Span(self._start_rpc(method, SpanKind.SERVER, context), SpanKind.SERVER, "rpc")

    def rpc_client(self, method: str) -> Span:
        """See runtime.tracing."""
        return _Span(self._start_rpc(method, SpanKind.CLIENT, None), SpanKind.CLIENT, "rpc")

    def _start_rpc(self, method: str, kind: SpanKind, context: otel_context.Context | None) -> trace.Span:
        name = method.removeprefix("/")
        attributes = {"rpc.system.name": "grpc", "rpc.method": name}
        return self._start(name, kind, attributes, context=context)

    def produce(self, subject: str, size: int, parent: Span | None) -> Span:
        """See runtime.tracing."""
        context = parent.context if isinstance(parent, _Span) else otel_context.get_current()
        if not trace.get_current_span(context).get_span_context().is_valid:
            return OFF
        destination = subject.partition(".")[0]
        attributes: dict[str, str | int] = {
            "messaging.system": _SYSTEM,
            "messaging.operation.type": "send",
            "messaging.operation.name": "publish",
            "messaging.destination.name": destination,
            "messaging.message.body.size": size,
        }
        span = self._start(f"publish {destination}", SpanKind.PRODUCER, attributes, context=context)
        return _Span(span, SpanKind.PRODUCER, "messaging")

    def consume(self, subject: str, headers: Mapping[str, str], size: int) -> Span:
        """See runtime.tracing."""
        destination = subject.partition(".")[0]
        span = self._start(
            f"process {destination}",
            SpanKind.CONSUMER,
            {
                "messaging.system": _SYSTEM,
                "messaging.operation.type": "process",
                "messaging.operation.name": "process",
                "messaging.destination.name": destination,
                "messaging.message.body.size": size,
            },
            context=_PROPAGATOR.extract(headers, otel_context.Context()),
        )
        return _Span(span, SpanKind.CONSUMER, "messaging")

    def item(self, name: str, carried: str) -> Span:
        """See runtime.tracing. In the trace of the call, where that is the item's own, the call is its parent."""
        call = trace.get_current_span().get_span_context()
        context = _PROPAGATOR.extract({_TRACEPARENT: carried}, otel_context.Context())
        own = trace.get_current_span(context).get_span_context()
        if not own.is_valid:
            return OFF
        if own.trace_id == call.trace_id:
            return _Span(self._start(name, SpanKind.INTERNAL, {}), SpanKind.INTERNAL, "")
        links = [Link(call)] if call.is_valid else []
        span = self._tracer.start_span(name, context, SpanKind.INTERNAL, {}, links)
        return _Span(span, SpanKind.INTERNAL, "")

    def _start(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, str | int],
        *,
        context: otel_context.Context | None = None,
    ) -> trace.Span:
        """Start a span in context (None: the current one); at the root of a batch it links to the batch's spans."""
        links: Sequence[Link] = ()
        if context is None and not trace.get_current_span().get_span_context().is_valid:
            links = otel_context.get_value(_LINKS) or ()  # type: ignore[assignment]  # only batch() sets it
        return self._tracer.start_span(name, context, kind, attributes, links)

    def annotate(self, attributes: Mapping[str, str | int]) -> None:
        """See runtime.tracing."""
        trace.get_current_span().set_attributes(
            {f"clarion.{name}": value for name, value in attributes.items() if value}
        )

    def trace_id(self) -> str:
        """See runtime.tracing."""
        span = trace.get_current_span().get_span_context()
        return trace.format_trace_id(span.trace_id) if span.is_valid else ""

    def traceparent(self) -> str:
        """See runtime.tracing."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get(_TRACEPARENT, "")

    def current(self) -> object | None:
        """See runtime.tracing."""
        span = trace.get_current_span()
        return span if span.get_span_context().is_valid else None

    def batch(self, spans: Sequence[object | None]) -> AbstractContextManager[object]:
        """See runtime.tracing."""
        found: dict[int, trace.Span] = {}
        for span in spans:
            if isinstance(span, trace.Span):
                found.setdefault(span.get_span_context().span_id, span)
        context = otel_context.Context()
        if len(found) == 1 and all(span is not None for span in spans):
            return _attached(trace.set_span_in_context(next(iter(found.values())), context))
        links = [Link(span.get_span_context()) for span in list(found.values())[:_MAX_LINKS]]
        return _attached(otel_context.set_value(_LINKS, links, context))

    def detached(self) -> AbstractContextManager[object]:
        """See runtime.tracing."""
        return _attached(otel_context.Context())

    def log_fields(self, trace_id: str) -> Mapping[str, str]:
        """See runtime.tracing."""
        span = trace.get_current_span().get_span_context()
        if not span.is_valid:
            return {}
        fields = {"span_id": trace.format_span_id(span.span_id)}
        own = trace.format_trace_id(span.trace_id)
        if own != trace_id:
            fields["otel_trace_id"] = own
        return fields


class _WebServerSpan(_Span):
    """The span of a request: its name is the method and, once it is known, the route."""

    __slots__ = ("_method",)

    def __init__(self, span: trace.Span, kind: SpanKind, protocol: str, method: str) -> None:
        super().__init__(span, kind, protocol)
        self._method = method

    def set(self, name: str, value: str | int) -> None:
        if name == "http.route":
            self._span.update_name(f"{self._method} {value}")
        super().set(name, value)


@contextmanager
def _attached(context: otel_context.Context) -> Iterator[None]:
    token = otel_context.attach(context)
    try:
        yield
    finally:
        otel_context.detach(token)


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the header that carries a trace; aiohttp's mapping finds it in any case.

    Not "tracestate": it may have 8 KiB, which every message of the event would carry beside its counted size.
    """
    value = headers.get(_TRACEPARENT, "")
    return {_TRACEPARENT: value} if value else {}
