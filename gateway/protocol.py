"""One HTTP connection: bounds on its head, its pipeline and its idle time, and refusals in the gateway's own format."""

import asyncio
from typing import Any, cast

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from gateway.connections import Connections, count_refusal
from gateway.observing import HEADERS
from gateway.replies import neutral_reply
from runtime import logs

# Of a request line with all its header fields, bytes. Each field, too, may have 8,190 and there may be 128.
MAX_HEAD_BYTES = 32 * 1024
# From the first byte of a head, or from the connection's beginning, to the head's end, seconds.
HEAD_S = 10.0
# How long a connection may be idle between two requests, seconds: longer than load balancers keep theirs.
IDLE_S = 75.0
# A client that takes nothing of its answer for this long is given up, seconds.
STALLED_S = 30.0

# The parser gets so many bytes at a time: by so much may a head exceed its bound before it is seen.
_PIECE = 16 * 1024
# Requests sent ahead while one is being answered; the rest waits in the kernel.
_PIPELINE = 2
# How long a refused client may still send, seconds: a connection closed at once would be reset before it reads why.
_LINGER_S = 1.0
# Compressed bodies are refused: the gateway never decompresses anything. observing.py writes the line of each request.
# read_bufsize: a body that no handler reads is held back at twice of it.
OPTIONS: dict[str, Any] = {
    "auto_decompress": False,
    "access_log": None,
    "keepalive_timeout": IDLE_S,
    "read_bufsize": 32 * 1024,
}
# Headers that proxies add, and browsers do not send.
_OF_PROXIES = ("Forwarded", "Via", "X-Forwarded-For")
_HEAD_ENDS = (b"\n\r\n", b"\n\n")
_TOO_LARGE = f"The request line and headers must be at most {MAX_HEAD_BYTES} bytes, each header at most 8190."
_TOO_MANY = "Too many connections or unfinished requests; try again shortly."

log = logs.get(__name__)


class Protocol(web.RequestHandler):
    """One connection. A request that is not unambiguous HTTP gets an error of the gateway itself."""

    __slots__ = (
        "_address",
        "_closer",
        "_connections",
        "_head_bytes",
        "_head_timer",
        "_held",
        "_is_browser",
        "_payload",
        "_refused",
        "_stall_timer",
        "_wire",
    )

    def __init__(self, manager: web.Server, connections: Connections) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **OPTIONS)
        self._max_msg_queue_size = _PIPELINE
        self._msg_queue_resume_size = _PIPELINE // 2
        self._connections = connections
        self._address: str | None = None
        self._wire: asyncio.Transport | None = None
        # The body of the newest request: while it has not ended, what comes belongs to it.
        self._payload: StreamReader = EMPTY_PAYLOAD
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._closer: asyncio.TimerHandle | None = None
        self._held = b""
        self._refused = False
        self._is_browser = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or turn it away at once."""
        self._wire = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._address = self._connections.enter(str(peer[0]) if peer else "")
        if self._address is None:
            self._refused = True
            self._manager = None  # it never knew this connection
            self._wire.write(_refusal(503, _TOO_MANY))
            self._wire.close()
            return
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give back all that the connection held."""
        self._end_head()
        for timer in (self._stall_timer, self._closer):
            if timer is not None:
                timer.cancel()
        if self._address is not None:
            self._connections.leave(self._address)
            self._address = None
        self._held = b""
        super().connection_lost(exc)

    async def start(self) -> None:
        """Answer requests until the connection ends. What is unsent then has a deadline, as everything has."""
        try:
            await super().start()
        finally:
            if self._wire is not None and self._wire.get_write_buffer_size():
                self._closer = self._loop.call_later(STALLED_S, self._wire.abort)

    def data_received(self, data: bytes) -> None:
        """Hand on what came, in pieces, for as long as the head is within its bounds. b"": reading was resumed."""
        if self._upgraded:
            super().data_received(data)
            return
        if not data:
            self._feed(data)  # the parser goes on with what it kept when it was paused
        if self._held:
            data, self._held = self._held + data, b""
        for start in range(0, len(data), _PIECE):
            if self._reading_paused or len(self._messages) >= self._max_msg_queue_size:
                self._held = data[start:]
                return
            self._feed(data[start : start + _PIECE])

    def pause_writing(self) -> None:
        """Begin to wait for a client that does not read its answer."""
        super().pause_writing()
        self._stall_timer = self._loop.call_later(STALLED_S, self._give_up)

    def resume_writing(self) -> None:
        """Stop waiting: it reads."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        super().resume_writing()

    def end_if_browser(self) -> None:
        """Close the connection of a browser's page, after the answer that is under way.

        Pages keep several idle connections for minutes. A browser sends a request again that meets a closed one. A
        request of which something is still to come is read to its end: its answer closes the connection.
        """
        is_arriving = not self._payload.is_eof() or self._head_timer is not None or bool(self._held)
        if self._is_browser and not self._upgraded and not is_arriving:
            self._end()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's words may hold what the client sent
    ) -> web.StreamResponse:
        """Answer, then close. Only a fault of ours is worth a traceback."""
        text = ""
        if isinstance(exc, LineTooLong):
            status, text = 431, _TOO_LARGE
        if status >= 500:
            log.error("connection_failed", exc_info=exc)
        else:
            log.info("request_unreadable", status=status, kind=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("The answer has begun: it can only be cut off.")
        reply = neutral_reply(status, text)
        reply.headers.update(HEADERS)
        reply.force_close()
        return reply

    def _process_keepalive(self) -> None:
        if self._head_timer is not None:  # the next head has begun: its own deadline counts
            self._keepalive_handle = None
            return
        super()._process_keepalive()

    def _feed(self, piece: bytes) -> None:
        if self._upgraded:
            super().data_received(piece)
            return
        if self._refused or self._close or self._force_close:
            return
        is_head = bool(piece) and self._payload.is_eof()
        known = self._request_count
        super().data_received(piece)
        if self._request_count != known:
            message, self._payload = self._messages[-1]
            self._is_browser = isinstance(message, RawRequestMessage) and _is_of_browser(message)
            self._end_head()
            if self._payload is EMPTY_PAYLOAD and piece and not piece.endswith(_HEAD_ENDS):
                self._expect_head()  # of the next request a part is here already
        elif is_head:
            self._count_head(len(piece))

    def _count_head(self, size: int) -> None:
        if self._head_timer is None:
            self._expect_head()
        if self._head_bytes + size > MAX_HEAD_BYTES:
            self._refuse(431, _TOO_LARGE, "head_too_large")
        elif not self._connections.heads.take(self._address or "", size):
            self._refuse(503, _TOO_MANY, "heads")
        else:
            self._head_bytes += size

    def _expect_head(self) -> None:
        self._head_timer = self._loop.call_later(HEAD_S, self._end_slow_head)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if self._head_bytes:
            self._connections.heads.give_back(self._address or "", self._head_bytes)
            self._head_bytes = 0

    def _end_slow_head(self) -> None:
        count_refusal("head_slow" if self._head_bytes else "idle_from_start")
        self._end_head()
        self._end()

    def _end(self) -> None:
        if self._request_in_progress or self._messages:
            self.close()  # after the answer that is under way
        else:
            self.force_close()

    def _refuse(self, status: int, text: str, reason: str) -> None:
        count_refusal(reason)
        self._refused = True
        self._held = b""
        self._end_head()
        if self._request_in_progress or self._messages or self._wire is None:
            self.close()
            return
        log.info("request_refused", status=status, reason=reason)
        self._wire.write(_refusal(status, text))
        self._wire.write_eof()
        self._closer = self._loop.call_later(_LINGER_S, self.force_close)

    def _give_up(self) -> None:
        count_refusal("answer_not_read")
        if self._wire is not None:
            self._wire.abort()


def _is_of_browser(message: RawRequestMessage) -> bool:
    """Return whether a browser itself sent it. On a proxy's connection the next one may be another client's."""
    return "Sec-Fetch-Mode" in message.headers and not any(name in message.headers for name in _OF_PROXIES)


def _refusal(status: int, text: str) -> bytes:
    """Return a whole answer as bytes: as neutral_reply, for a connection that has no request."""
    reply = neutral_reply(status, text)
    body = cast("bytes", reply.body)
    headers = {
        **HEADERS,
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    if status == 503:
        headers["Retry-After"] = "1"
    lines = [f"HTTP/1.1 {status} {reply.reason}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
