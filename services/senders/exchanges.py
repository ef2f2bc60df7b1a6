"""What the timeline keeps of a call over HTTP and its answer: bounded, and without secrets. Pure."""

from collections.abc import Sequence

from clarion.common.v1 import trace_pb2
from runtime.printable import printable
from services.domain import secret_headers
from services.domain.secret_headers import HIDDEN

# What a record keeps of an answer.
MAX_BODY_BYTES = 4 * 1024
MAX_HEADERS = 50
MAX_HEADER_BYTES = 4 * 1024
_MAX_VALUE = 1_024


def exchange(
    url: str,
    status: int,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    hidden: Sequence[str] = (),
    is_cut: bool = False,
) -> trace_pb2.HttpExchange:
    """Return the call. status: 0: no answer came. hidden: secrets that the answer may repeat. is_cut: it had more."""
    kept, left = [], MAX_HEADER_BYTES
    for name, value in headers[:MAX_HEADERS]:
        safe = without(secret_headers.shown(name, value).encode(), hidden)
        shown = printable(safe.decode(errors="replace"), _MAX_VALUE)
        left -= len(name) + len(shown.encode())
        if left < 0:
            break
        kept.append(trace_pb2.HttpHeader(name=name, value=shown))
    shown_body = without(body, hidden)
    return trace_pb2.HttpExchange(
        url=url,
        status=status,
        headers=kept,
        body=shown_body[:MAX_BODY_BYTES],
        is_cut=is_cut or len(shown_body) > MAX_BODY_BYTES,
    )


def without(data: bytes, hidden: Sequence[str]) -> bytes:
    """Return data without these values."""
    for one in hidden:
        data = data.replace(one.encode(), HIDDEN.encode())
    return data
