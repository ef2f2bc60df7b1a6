"""How many messages to request from a JetStream consumer, and what is outstanding or in hand. Plain values, no I/O.

A consumer is asked by requests that the server serves until they expire. Two requests are open at a time: one is being
served while the other one is being sent. What JetStream does in each case was tried; docs/nats.md describes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# No service writes a larger message to a stream (TRACE's are up to 512 KiB). A larger one is requested alone.
LARGEST_MESSAGE = 1024 * 1024
# The server keeps a request for this long, seconds.
EXPIRES_S = 10.0
# An answer that is this late will not come any more, seconds.
_LATE_S = 2.0


@dataclass(slots=True)
class PullRequest:
    """One of the requests that may be open. messages, bytes: what the server may still send for it.

    asked: the number of messages requested. until: when the server gives up, monotonic.
    """

    inbox: str
    asked: int = 0
    messages: int = 0
    bytes: int = 0
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class Pull:
    """A request to send. max_bytes None: one message, however large."""

    inbox: str
    messages: int
    max_bytes: int | None


class PullWindow:
    """The bounds of one consumer, and how far they are used.

    max_held and max_held_bytes bound what is in hand (received, not yet acked) and what is requested. Messages set
    aside do not count; at most max_aside of them, up to max_aside_bytes.
    """

    def __init__(
        self, inboxes: Sequence[str], *, max_held: int, max_held_bytes: int, max_aside: int, max_aside_bytes: int
    ) -> None:
        self.requests = [PullRequest(inbox) for inbox in inboxes]
        self._max_held = max_held
        self._max_held_bytes = max_held_bytes
        self._max_aside = max_aside
        self._max_aside_bytes = max_aside_bytes
        # In hand, those set aside not included.
        self.held = 0
        self.held_bytes = 0
        self.aside = 0
        self.aside_bytes = 0
        # No request was made because there were too few bytes left for one message.
        self._lacks_bytes = False
        # The next message is larger than a request may bring: request it alone.
        self._next_is_large = False

    @property
    def has_room(self) -> bool:
        """Whether enough has been acked for another request to be worthwhile."""
        return self._lacks_bytes or self.held * 2 <= self._max_held

    def hold(self, size: int) -> None:
        """Count a message as in hand."""
        self.held += 1
        self.held_bytes += size

    def let_go(self, size: int) -> None:
        """Count a message as not in hand any more."""
        self.held -= 1
        self.held_bytes -= size

    def set_aside(self, size: int) -> bool:
        """Move a message from those in hand to those set aside; False: there is no room for it."""
        if self.aside >= self._max_aside or self.aside_bytes + size > self._max_aside_bytes:
            return False
        self.let_go(size)
        self.aside += 1
        self.aside_bytes += size
        return True

    def take_back(self, size: int) -> None:
        """Move a message back to those in hand, which may then be more than max_held."""
        self.aside -= 1
        self.aside_bytes -= size
        self.hold(size)

    def received(self, request: PullRequest, size: int) -> None:
        """Count one message as sent for a request."""
        _settle(request, 1, size)

    def ended(self, request: PullRequest, *, left: int, left_bytes: int | None) -> int:
        """Take in that the server ended a request with so much of it left; return how many messages it brought.

        left_bytes 0: the bytes are used up, so the remaining messages will not come either. None: not known.
        """
        if left_bytes == 0:
            left = request.messages
        brought = request.asked - left
        _settle(request, left, 0)
        return brought

    def message_was_too_large(self, *, brought: int) -> None:
        """Take in that a request ended before a message that did not fit in; brought: what came before that."""
        self._next_is_large = not brought

    def expire(self, now: float, *, reconnected: bool) -> None:
        """Expect nothing more of requests that are overdue; of none that were made on an earlier connection."""
        for request in self.requests:
            if reconnected or now > request.until + _LATE_S:
                _settle(request, request.messages, 0)

    def next_pull(self, now: float) -> Pull | None:
        """Return the request to send now, and count it as sent. None: enough is requested, or there is no room."""
        outstanding = sum(request.messages for request in self.requests)
        room = self._max_held - self.held - outstanding
        if room <= 0 or (outstanding and room * 2 < self._max_held):
            return None
        free = next((request for request in self.requests if not request.messages), None)
        if free is None:
            return None
        expected_bytes = self.held_bytes + sum(request.bytes for request in self.requests)
        # At most half, so that the other request can have bytes as well.
        room_bytes = min(self._max_held_bytes // 2, self._max_held_bytes - expected_bytes)
        # The server would send nothing at all if the next message did not fit.
        self._lacks_bytes = room_bytes < LARGEST_MESSAGE
        if self._lacks_bytes:
            return None
        is_alone, self._next_is_large = self._next_is_large, False
        if is_alone:
            room = 1
        free.asked, free.messages, free.bytes, free.until = room, room, room_bytes, now + EXPIRES_S
        return Pull(free.inbox, room, None if is_alone else room_bytes)


def _settle(request: PullRequest, messages: int, size: int) -> None:
    """Subtract what has come, or will not come any more."""
    request.messages = max(0, request.messages - messages)
    request.bytes = max(0, request.bytes - size) if request.messages else 0
