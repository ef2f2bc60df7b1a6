"""Logs: one JSON object a line on standard output, one wide line per unit of work.

Every line carries service and, where one is bound, trace_id.
"""

import logging
import sys
from typing import Any

import orjson
import structlog


def configure(service: str, level: str = "info") -> None:
    """Set up structlog, and the standard library's loggers of our dependencies, for this process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, handlers=[_ToStructlog()], force=True)


def get(name: str) -> Any:
    """Return the logger of a module."""
    return structlog.get_logger(module=name)


def _dumps(value: Any, **_: Any) -> bytes:
    return orjson.dumps(value, default=str)


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger(module=record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info)
