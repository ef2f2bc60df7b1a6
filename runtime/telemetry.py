"""The trace id of the current task, and the /metrics page of each process. Spans are in runtime/tracing.

Metrics follow Prometheus' conventions: base units, ``_total`` and ``_seconds``, no ids as labels.
"""

import functools
import re
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TypeVar

from prometheus_client import Counter, Histogram, start_http_server

TRACE_HEADER = "X-Trace-Id"
TRACE_METADATA = "x-trace-id"

_trace_id: ContextVar[str] = ContextVar("trace_id", default="")
_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$")
_UNSAFE = re.compile(r"[^\x21-\x7e]")
_MAX_LENGTH = 128

M = TypeVar("M", Counter, Histogram)


def trace_id_from(headers: Mapping[str, str], current: str = "") -> str:
    """Return the trace id: the caller's X-Trace-Id, else that of its W3C traceparent, else current, else a new one."""
    given = _UNSAFE.sub("", headers.get(TRACE_HEADER, ""))[:_MAX_LENGTH]
    if given:
        return given
    match = _TRACEPARENT.match(headers.get("traceparent", ""))
    return match.group(1) if match else current or secrets.token_hex(16)


def bind_trace(trace_id: str) -> None:
    """Set the current task's trace id, which its log lines and calls carry."""
    _trace_id.set(trace_id)


def current_trace() -> str:
    """Return the current task's trace id, or ""."""
    return _trace_id.get()


@functools.lru_cache(maxsize=4096)
def labelled(metric: M, *values: str) -> M:
    """Return metric.labels(*values), cached because it is needed for every event."""
    return metric.labels(*values)


def serve_metrics(address: str) -> None:
    """Serve /metrics on host:port in a separate thread, unless address is empty."""
    if address:
        host, _, port = address.rpartition(":")
        start_http_server(int(port), addr=host)
