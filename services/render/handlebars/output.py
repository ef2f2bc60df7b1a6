"""Where a template writes to: bounded in characters and in processor time."""

import time

# How often, in loop rounds, the clock is read.
_ROUNDS = 32


class OutputTooLargeError(Exception):
    """The template wrote more than it may."""


class RenderTimeoutError(Exception):
    """The template used more processor time than it may."""


class Output:
    """Collects text. limit: most characters. deadline: of time.process_time(), seconds."""

    __slots__ = ("_deadline", "_left", "_parts", "_rounds")

    def __init__(self, limit: int, deadline: float) -> None:
        self._parts: list[str] = []
        self._left = limit
        self._deadline = deadline
        self._rounds = _ROUNDS

    def write(self, text: str) -> None:
        """Append text. Raises OutputTooLargeError."""
        self._left -= len(text)
        if self._left < 0:
            raise OutputTooLargeError
        self._parts.append(text)

    def round(self) -> None:
        """Count one round of a loop. Raises RenderTimeoutError."""
        self._rounds -= 1
        if self._rounds <= 0:
            self._rounds = _ROUNDS
            # Parts without end and without text would fill the memory first.
            if time.process_time() > self._deadline:
                raise RenderTimeoutError

    def text(self) -> str:
        """Return all that was written."""
        return "".join(self._parts)
