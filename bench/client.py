"""A minimal, cheap HTTP/1.1 client on httptools: one request at a time per kept connection."""

import asyncio
from typing import Protocol, cast

import httptools


class Listener(Protocol):
    """Receives the responses."""

    def answered(self, connection: "Connection", ticket: int, status: int, event_id: bytes) -> None:
        """A response arrived, and the connection is free unless the server closed it. event_id: of X-Event-Id."""

    def lost(self, connection: "Connection", ticket: int) -> None:
        """The connection is closed. ticket: the request that was under way, else -1."""


class Connection(asyncio.Protocol):
    """One kept connection."""

    __slots__ = ("_event_id", "_listener", "_parser", "_ticket", "_transport", "closing")

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._ticket = -1
        self._event_id = b""
        # The server will close, or has closed: send nothing more.
        self.closing = False

    def send(self, ticket: int, request: bytes) -> None:
        """Send a whole request. Its response is reported with the ticket."""
        self._ticket = ticket
        self._event_id = b""
        cast("asyncio.Transport", self._transport).write(request)

    def close(self) -> None:
        """Close the connection."""
        self.closing = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def connection_lost(self, _: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.closing = True
        ticket, self._ticket = self._ticket, -1
        self._listener.lost(self, ticket)

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        # By length first: most headers of most answers are none of ours.
        if len(name) == 10 and name.lower() == b"x-event-id":
            self._event_id = value

    def on_message_complete(self) -> None:
        """See httptools."""
        ticket, self._ticket = self._ticket, -1
        if not self._parser.should_keep_alive():
            self.closing = True
        self._listener.answered(self, ticket, self._parser.get_status_code(), self._event_id)
