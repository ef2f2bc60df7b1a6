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

    __slots__ = ("_deadline", "_left", "_parts", "_rounds", "limit")

    def __init__(self, limit: int, deadline: float) -> None:
        self._parts: list[str] = []
        self.limit = limit
        self._left = limit
        self._deadline = deadline
        self._rounds = _ROUNDS

    def write(self, text: str) -> None:
        """Append text. Raises OutputTooLargeError."""
        self._left -= len(text)
        if self._left < 0:
            raise OutputTooLargeError
        self._parts.append(text)

    def count(self, size: int) -> None:
        """Count characters kept elsewhere for now; a negative size gives them back. Raises OutputTooLargeError."""
        self._left -= size
        if self._left < 0:
            raise OutputTooLargeError

    def round(self) -> None:
        """Count a loop's round, or a call of a partial or helper. Raises RenderTimeoutError."""
        self._rounds -= 1
        if self._rounds <= 0:
            self._rounds = _ROUNDS
            # Parts without end and without text would fill the memory first.
            if time.process_time() > self._deadline:
                raise RenderTimeoutError

    def aside(self) -> list[str]:
        """Begin a piece that take() returns; hand it what this returns."""
        before, self._parts = self._parts, []
        return before

    def room(self, size: int) -> None:
        """Raise OutputTooLargeError where so many characters more are too many: before they are made."""
        if size > self._left:
            raise OutputTooLargeError

    def take(self, before: list[str]) -> str:
        """Return what was written since aside(), and count it as not written."""
        text = "".join(self._parts)
        self._parts = before
        self._left += len(text)
        return text

    def text(self) -> str:
        """Return all that was written."""
        return "".join(self._parts)
