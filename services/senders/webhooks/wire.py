"""HTTP/1.1 to an endpoint, on one connection: one request, one answer of which no more is read than is kept.

An answer is hostile: its head, the answers before it (1xx), its body and what stands between its chunks are bounded in
bytes, nothing is decompressed, and whatever comes after its end makes the connection useless. llhttp parses it, in its
strict mode: an answer with two lengths is none.
"""

import asyncio
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from services.domain.reasons import Reason
from services.senders.webhooks.ports import KEPT_BYTES, Answer, NoAnswer

# Bytes of a head, all 1xx answers before it included; header fields of one head; 1xx answers.
MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
MAX_INFORMATIONAL = 8
# Bytes of a body that are read.
MAX_BODY_BYTES = 64 * 1024
# From this size on a body is not copied to stand behind its head.
_JOINED_BYTES = 16 * 1024


class ConnectionEnded(Exception):
    """The connection ended before a byte of the answer came."""


class _Refused(Exception):
    """The answer is not read further. The text says why."""


class Connection(asyncio.Protocol):
    """One connection to an endpoint. is_reusable: another request may follow. keep_s: the server's limit; 0: none."""

    __slots__ = (
        "_body",
        "_body_bytes",
        "_fault",
        "_has_head",
        "_head_bytes",
        "_headers",
        "_informational",
        "_is_done",
        "_is_open",
        "_loop",
        "_parser",
        "_received",
        "_status",
        "_transport",
        "_until_end",
        "_waiter",
        "expires_at",
        "is_reusable",
        "keep_s",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._is_open = False
        self._waiter: asyncio.Future[Answer] | None = None
        self._parser = HttpResponseParser(self)
        self.is_reusable = False
        self.keep_s = 0.0
        # Of the pool: when it is closed for want of use.
        self.expires_at = 0.0
        # Of the exchange under way; bytes that came, of the head, of the body.
        self._received = self._head_bytes = self._body_bytes = self._informational = self._status = 0
        self._has_head = self._is_done = self._until_end = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = b""
        self._fault = ""

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._is_open

    def close(self) -> None:
        """Close it at once."""
        self._is_open = self.is_reusable = False
        if self._transport is not None:
            self._transport.abort()

    async def exchange(self, head: bytes, body: bytes, deadline: float) -> Answer:
        """Send a request and return the answer. head: see Call. deadline: of the loop's clock.

        Raises NoAnswer and ConnectionEnded. The connection is closed unless is_reusable is true after it.
        """
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        if self._transport is None or not self._is_open:
            raise ConnectionEnded
        self._start_answer()
        self._waiter = waiter
        timer = self._loop.call_at(deadline, self._expire)
        try:
            if len(body) < _JOINED_BYTES:
                self._transport.write(b"%b\r\n%b" % (head, body))
            else:
                self._transport.writelines((head, b"\r\n", body))
            return await waiter
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
            self._waiter = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._is_open = self.is_reusable = True

    def data_received(self, data: bytes) -> None:
        """Read a part of the answer."""
        if self._waiter is None or self._is_done:  # nobody asked
            self.close()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.is_reusable = False
            if not self._is_done:
                self._fail(Reason.ENDPOINT_ERROR, self._fault or f"The answer is not HTTP/1.1: {_word(error)}.")
                return
        if self._is_done:
            self._finish(is_cut=False)
        elif not self._has_head:
            if self._received > MAX_HEAD_BYTES:
                self._fail(Reason.ENDPOINT_ERROR, _HEAD_TOO_LARGE)
        elif self._body_bytes >= MAX_BODY_BYTES or self._received >= MAX_HEAD_BYTES + MAX_BODY_BYTES:
            self.is_reusable = False
            self._finish(is_cut=True)

    def eof_received(self) -> bool:
        """End the answer: there is no more of it, even if the server would still read."""
        self._end(is_clean=True)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer."""
        self._end(is_clean=exc is None)

    # The parser's callbacks

    def on_message_begin(self) -> None:
        """Begin an answer: the only one, or that after a 1xx."""
        if self._is_done:
            self.is_reusable = False
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of the head; those after the body are only counted."""
        if self._is_done:
            return
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES or len(self._headers) >= MAX_HEADERS:
            self._refuse(_HEAD_TOO_LARGE)
        if not self._has_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Take the status."""
        if self._is_done:
            return
        self._status = status = self._parser.get_status_code()
        if status < 200:
            self._informational += 1
            if status == 101 or self._informational > MAX_INFORMATIONAL:
                self._refuse("The endpoint answered only with statuses below 200.")
            return
        self._has_head = True
        self._until_end = True
        for name, value in self._headers:
            if name == b"content-length" or (name == b"transfer-encoding" and value.lower().endswith(b"chunked")):
                self._until_end = False
            elif name == b"keep-alive":
                self.keep_s = _keep_s(value)

    def on_body(self, body: bytes) -> None:
        """Keep the beginning of the body."""
        if self._is_done:
            return
        if self._body_bytes < KEPT_BYTES:
            self._body += body[: KEPT_BYTES - self._body_bytes]
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """End the answer, unless another one follows it (1xx)."""
        if self._has_head and not self._is_done:
            self._is_done = True
            if not self._parser.should_keep_alive():
                self.is_reusable = False

    def _start_answer(self) -> None:
        self._received = self._head_bytes = self._body_bytes = self._informational = self._status = 0
        self._has_head = self._is_done = self._until_end = False
        self._headers = []
        self._body = b""
        self._fault = ""
        self.keep_s = 0.0

    def _refuse(self, why: str) -> None:
        self._fault = why
        raise _Refused(why)

    def _finish(self, *, is_cut: bool) -> None:
        waiter, transport = self._waiter, self._transport
        if waiter is None or waiter.done() or transport is None:
            return
        # A server that answers before it has read the request does not get another one.
        if not self.is_reusable or not self._is_open or transport.get_write_buffer_size():
            self.close()
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._headers]
        is_cut = is_cut or self._body_bytes > len(self._body)
        waiter.set_result(Answer(self._status, headers, self._body, is_cut))

    def _end(self, *, is_clean: bool) -> None:
        self.close()
        if self._is_done:
            return
        if self._has_head and self._until_end and is_clean:
            self._is_done = True
            self._finish(is_cut=False)
        elif self._received:
            self._fail(Reason.ENDPOINT_ERROR, "The connection ended before the answer was complete.")
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionEnded())

    def _expire(self) -> None:
        self._fail(Reason.ENDPOINT_TIMEOUT, "The endpoint did not answer completely in time.")

    def _fail(self, reason: Reason, detail: str) -> None:
        self.close()
        if self._waiter is not None and not self._waiter.done():
            status = self._status if self._has_head else 0
            self._waiter.set_exception(NoAnswer(reason, detail, status=status))


_HEAD_TOO_LARGE = f"The answer's headers are more than {MAX_HEADERS}, or more than {MAX_HEAD_BYTES // 1024} KiB."


def _word(error: Exception) -> str:
    """Return the parser's own words, which quote nothing of the answer."""
    return str(error) if isinstance(error, HttpParserError) else "it changes the protocol"


def _keep_s(value: bytes) -> float:
    """Return the seconds of "timeout=5"; 0.0: the header has no such parameter."""
    for part in value.split(b","):
        name, _, number = part.partition(b"=")
        if name.strip().lower() == b"timeout" and (number := number.strip()).isdigit() and len(number) < 6:
            return float(number)
    return 0.0
