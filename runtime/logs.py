"""Logging: one JSON object per line on standard output, one wide line per unit of work.

Every line carries service and, where one is bound, trace_id.
"""

import asyncio
import contextlib
import logging
import sys
import time
from collections import deque
from collections.abc import MutableMapping
from typing import Any, BinaryIO

import orjson

from runtime import tracing
from runtime.imports import hide_packages
from runtime.telemetry import current_trace

with hide_packages("rich"):  # structlog uses it for tracebacks in colour, where it is installed
    import structlog


def configure(service: str, level: str = "info") -> None:
    """Set up structlog, and the standard library's logging for our dependencies."""
    number = logging.getLevelNamesMapping()[level.upper()]
    lines = _Lines(sys.stdout.buffer)
    structlog.configure(
        processors=[structlog.processors.format_exc_info, _Renderer(service)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_ToStructlog()], force=True)


def get(name: str) -> Any:
    """Return the logger of a module."""
    return structlog.get_logger(module=name)


class _Renderer:
    """The last processor: renders the line, in one step because there is a line for every event."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._second = 0
        self._date = ""

    def __call__(self, _: object, level: str, line: MutableMapping[str, Any]) -> bytes:
        now_us = time.time_ns() // 1000
        second, fraction = divmod(now_us, 1_000_000)
        if second != self._second:
            self._second = second
            self._date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        line["level"] = "error" if level == "exception" else level
        line["timestamp"] = f"{self._date}.{fraction:06d}Z"
        line.setdefault("service", self._service)
        if trace_id := current_trace():
            line.setdefault("trace_id", trace_id)
        if tracing.is_on():
            line.update(tracing.log_fields(line.get("trace_id", "")))
        return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE)


class _Lines:
    """Writes the lines of one turn of the event loop together. Warnings and errors are written immediately."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: deque[bytes] = deque()

    def _later(self, line: bytes) -> None:
        self._waiting.append(line)
        if len(self._waiting) > 1:
            return
        try:
            asyncio.get_running_loop().call_soon(self._flush)
        except RuntimeError:
            self._flush()

    def _now(self, line: bytes) -> None:
        self._waiting.append(line)
        self._flush()

    def _flush(self) -> None:
        lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if lines:
            # A full disk or a closed pipe cannot be reported anywhere; the process continues without its log.
            with contextlib.suppress(OSError):
                self._file.write(b"".join(lines))
                self._file.flush()

    debug = info = msg = log = _later
    warning = error = exception = critical = fatal = failure = _now


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(module=record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info)
